"""Which stored models are in force, if somebody has decided so; otherwise each week has its own."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import ModelError

_FILE: Final = "promotions.json"


@dataclass(frozen=True)
class Promotion:
    """Models that were put in force: by name, with their cutoff, when (ISO, UTC), and why.

    `rolled_back_at` is when that was taken back (ISO, UTC), if it was.
    """

    name: str
    cutoff: str
    promoted_at: str
    reason: str
    rolled_back_at: str | None = None

    def knows(self, game_date: date) -> bool:
        """Whether these models may have seen games of the date: then they must not predict it."""
        return date.fromisoformat(self.cutoff) > game_date


@dataclass(frozen=True)
class Promotions:
    """What was promoted, in order, in a file beside the models.

    The last one that was not rolled back is in force. What was rolled back stays in the record: no
    comparison of errors puts it in force again, only a person.
    """

    folder: Path

    def record(self) -> list[Promotion]:
        """Everything that was ever promoted.

        Raises:
            ModelError: the file cannot be read.
        """
        path = self.folder / _FILE
        if not path.is_file():
            return []
        try:
            return [Promotion(**row) for row in json.loads(path.read_text("utf-8"))]
        except (json.JSONDecodeError, TypeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}); delete it, and each week's own models serve"
            ) from error

    def read(self) -> list[Promotion]:
        """All promotions that were not rolled back. Errors as in `record`."""
        return [p for p in self.record() if p.rolled_back_at is None]

    def rolled_back(self) -> set[str]:
        """The names of models that were taken back. Errors as in `record`."""
        return {p.name for p in self.record() if p.rolled_back_at is not None}

    def in_force(self) -> Promotion | None:
        """The promotion that serves the nights; None while each week's own models do."""
        return next(reversed(self.read()), None)

    def serving(self, game_date: date) -> Promotion | None:
        """The newest promotion that may predict a date; None if the week's own models have to."""
        return next((p for p in reversed(self.read()) if not p.knows(game_date)), None)

    def promote(self, promotion: Promotion) -> None:
        """Put models in force."""
        self._write([*self.record(), promotion])

    def roll_back(self) -> Promotion:
        """Take back the last promotion, and return it; what was in force before it is again.

        Raises:
            ModelError: nothing is promoted.
        """
        record = self.record()
        at = next((n for n in reversed(range(len(record))) if not record[n].rolled_back_at), None)
        if at is None:
            raise ModelError("nothing was promoted: each week's own models serve already")
        now = utc_now().isoformat(timespec="seconds")
        self._write([*record[:at], replace(record[at], rolled_back_at=now), *record[at + 1 :]])
        return record[at]

    def _write(self, promotions: list[Promotion]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".{_FILE}.{uuid.uuid4().hex}.part"
        aside.write_text(json.dumps([asdict(p) for p in promotions], indent=1), "utf-8")
        aside.replace(self.folder / _FILE)
