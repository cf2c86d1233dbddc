"""Record which stored models were promoted. Without a promotion each week has its own models."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError, ModelError
from nba_predictions.durable_files import SealedFolder

_FILE: Final = "promotions.json"


@dataclass(frozen=True)
class Promotion:
    """The decision that stored models are in force.

    Attributes:
        name: the models, by name.
        cutoff: their cutoff, ISO.
        promoted_at: when they were promoted (ISO, UTC).
        reason: why.
        rolled_back_at: when the promotion was rolled back (ISO, UTC), if it was.
    """

    name: str
    cutoff: str
    promoted_at: str
    reason: str
    rolled_back_at: str | None = None

    def may_include(self, game_date: date) -> bool:
        """Return whether the training data may include games of the date.

        Such models must not predict the date.
        """
        return date.fromisoformat(self.cutoff) > game_date


@dataclass(frozen=True)
class Promotions:
    """All promotions in order, in a file in the folder of the models.

    The last one that was not rolled back is in force. A promotion that was rolled back stays in the
    record. Its models are never promoted automatically again.
    """

    folder: Path

    def record(self) -> list[Promotion]:
        """Return all promotions, including those that were rolled back.

        Raises:
            ModelError: the file cannot be read.
        """
        path = self.folder / _FILE
        try:
            return [Promotion(**row) for row in json.loads(self._files.read(path).content)]
        except FileNotFoundError:
            return []
        except (DamagedFileError, TypeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}); delete it to use each week's own models"
            ) from error

    def read(self) -> list[Promotion]:
        """Return the promotions that were not rolled back. Raises what `record` raises."""
        return [p for p in self.record() if p.rolled_back_at is None]

    def rolled_back(self) -> set[str]:
        """Return the names of models that were rolled back. Raises what `record` raises."""
        return {p.name for p in self.record() if p.rolled_back_at is not None}

    def in_force(self) -> Promotion | None:
        """Return the promotion in force; None while each week uses its own models."""
        return next(reversed(self.read()), None)

    def serving(self, game_date: date) -> Promotion | None:
        """Return the newest promotion that may predict a date; None if none may."""
        return next((p for p in reversed(self.read()) if not p.may_include(game_date)), None)

    def promote(self, promotion: Promotion) -> None:
        """Record that models are in force."""
        self._write([*self.record(), promotion])

    def roll_back(self) -> Promotion:
        """Roll back the last promotion and return it. The promotion before it is in force again.

        Raises:
            ModelError: nothing is promoted.
        """
        record = self.record()
        last = next((n for n in reversed(range(len(record))) if not record[n].rolled_back_at), None)
        if last is None:
            raise ModelError("no models are promoted; each week uses its own models already")
        promotion = record[last]
        record[last] = replace(promotion, rolled_back_at=utc_now().isoformat(timespec="seconds"))
        self._write(record)
        return promotion

    def _write(self, promotions: list[Promotion]) -> None:
        content = json.dumps([asdict(p) for p in promotions], indent=1)
        self._files.write(self.folder / _FILE, content.encode())

    @property
    def _files(self) -> SealedFolder:
        return SealedFolder(self.folder)
