"""Landed answers as rows of inputs. Each answer is read and converted once per process."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs import box_scores, injuries, lines, schedules
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.importing.documents import parse_document
from nba_predictions.inputs.importing.formats import FORMATS, Format
from nba_predictions.inputs.importing.tables import Context, Conversion
from nba_predictions.inputs.importing.values import ConversionError
from nba_predictions.inputs.landing.zone import Landed, LandingZone
from nba_predictions.inputs.parsing import (
    OBSERVED,
    Parsed,
    RawTable,
    Rejected,
    refuse_many_rejected,
)
from nba_predictions.inputs.port import GAMES, LINES, LOGS, PLAYERS, REPORT

T = TypeVar("T")

#: The format of each resource.
_FORMATS: Final = {
    ("nba_stats", "leaguegamelog"): "nba_game_log",
    ("nba_stats", "playerindex"): "nba_players",
    ("nba_cdn", "schedule"): "nba_schedule",
    ("nba_cdn", "boxscore"): "nba_box_score",
    ("odds_api", "odds"): "odds_api",
    ("injury_report", "report"): "nba_injury_report",
    ("espn", "scoreboard"): "espn_scoreboard",
    ("espn", "summary"): "espn_box_score",
    ("espn", "injuries"): "espn_injuries",
}
_BY_NAME: Final = {each.name: each for each in FORMATS}
_NORMALIZERS: Final = {
    LOGS: box_scores.normalize_game_logs,
    LINES: lines.normalize_lines,
    GAMES: schedules.normalize_schedule,
    REPORT: injuries.normalize_injuries,
}
#: So many converted answers stay in memory: four seasons of logs, and the lines of a few dates.
_MOST_ANSWERS: Final = 512
_ROW: Final = re.compile(r"row ([0-9]+), (?:column )?(.*)")


@dataclass(frozen=True)
class Answer:
    """A landed answer as rows of one kind of input.

    Attributes:
        landed: the answer.
        kind: the kind of input.
        conversion: the converted document.
        parsed: its rows; no file of it is known for `roster`. The moment of a row is that of the
            document, but not later than that of the answer.
        source_time: the newest moment that the document states; None if it has none.
    """

    landed: Landed
    kind: str
    conversion: Conversion
    parsed: Parsed | None
    source_time: datetime | None

    @property
    def made_at(self) -> datetime:
        """The moment of a report: that of the document, but not later than that of the answer."""
        made_at = self.conversion.made_at
        return self.landed.fetched_at if made_at is None else min(made_at, self.landed.fetched_at)

    @property
    def note(self) -> str:
        """Where the rows come from, for an account."""
        stated = f", source time {self.source_time:%Y-%m-%dT%H:%M:%SZ}" if self.source_time else ""
        fetched_at = f"{self.landed.fetched_at:%Y-%m-%dT%H:%M:%SZ}"
        notes = "".join(f"; {note}" for note in self.conversion.notes)
        return f"{self.landed.resource.provider}, fetched {fetched_at}{stated}{notes}"


@dataclass(frozen=True)
class Unreadable:
    """A landed answer that cannot be used, and why. The one before it is used instead."""

    landed: Landed
    kind: str
    problem: str

    @property
    def account(self) -> InputAccount:
        note = f"{self.problem}; the answer before it is used, if there is one"
        return InputAccount(self.kind, self.landed.path, read=False, note=note)


class Answers:
    """The answers of a landing zone.

    Args:
        zone: the landing zone.
        max_rejected_share: the tolerated share of invalid rows of an answer.
    """

    def __init__(self, zone: LandingZone, max_rejected_share: float) -> None:
        self.zone = zone
        self._max_rejected_share = max_rejected_share
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of `make`, which is called once for a key."""
        with self._lock:
            if key not in self._results:
                self._results[key] = make()
            self._results.move_to_end(key)
            if len(self._results) > _MOST_ANSWERS:
                self._results.popitem(last=False)
            result: T = self._results[key]
            return result

    def read(
        self, landed: Landed, context: Context | None = None, facts: Hashable = None
    ) -> Answer | Unreadable:
        """Return a landed answer as rows, or why it cannot be used.

        Args:
            landed: the answer.
            context: facts of other answers that the conversion needs.
            facts: identifies these facts.
        """
        return self.once((landed.path, facts), lambda: self._read(landed, context or Context()))

    def _read(self, landed: Landed, context: Context) -> Answer | Unreadable:
        of_resource = _BY_NAME[_FORMATS[landed.resource.provider, landed.resource.name]]
        kind = of_resource.kind or PLAYERS
        try:
            return self._converted(landed, of_resource, context)
        except ConversionError as error:
            return Unreadable(landed, kind, f"it cannot be converted ({error})")
        except SourceDataError as error:
            return Unreadable(landed, kind, str(error))

    def _converted(self, landed: Landed, of_resource: Format, context: Context) -> Answer:
        document = parse_document(landed.path, self.zone.read(landed))
        if not of_resource.recognizes(document):
            raise ConversionError(f"it is not {of_resource.content}")
        # Without a moment of the context, the rows have only what the document states.
        conversion = of_resource.convert(
            document, Context(None, context.games, context.names, context.teams)
        )
        stated = [row[OBSERVED] for row in conversion.rows if row.get(OBSERVED) is not None]
        source_time = conversion.made_at or max(stated, default=None)
        for row in conversion.rows:
            row[OBSERVED] = min(row.get(OBSERVED) or landed.fetched_at, landed.fetched_at)
        if not of_resource.kind:
            return Answer(landed, PLAYERS, conversion, None, source_time)
        parsed = _parsed(landed.path, of_resource.kind, conversion)
        refuse_many_rejected(of_resource.kind, parsed, self._max_rejected_share)
        return Answer(landed, of_resource.kind, conversion, parsed, source_time)


def _parsed(name: str, kind: str, conversion: Conversion) -> Parsed:
    """Return the rows of a conversion, with those that the conversion rejected or dropped."""
    parsed = _NORMALIZERS[kind]([RawTable(name, conversion.frame())])
    rejected = tuple(_rejected(name, problem) for problem in conversion.rejected)
    dropped = {(name, reason): count for reason, count in conversion.dropped.items()}
    for key, count in parsed.dropped.items():
        dropped[key] = dropped.get(key, 0) + count
    rows = parsed.rows[name] + len(rejected) + sum(conversion.dropped.values())
    return Parsed(parsed.frame, (*rejected, *parsed.rejected), dropped, {name: rows})


def _rejected(name: str, problem: str) -> Rejected:
    place, _, reason = problem.partition(": ")
    found = _ROW.fullmatch(place)
    if found:
        return Rejected(name, int(found[1]), found[2], reason)
    return Rejected(name, 0, place, reason)
