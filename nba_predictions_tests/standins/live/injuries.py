"""The official injury report, a PDF every 15 minutes."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from nba_predictions.domain.league.games import EASTERN
from nba_predictions_tests.inputs.importing.reports import (
    TOP_OF_FIRST_PAGE,
    TOP_OF_PAGE,
    Line,
    bottom_of,
    draw,
)
from nba_predictions_tests.standins.live.day import Moment
from nba_predictions_tests.standins.live.messages import (
    ACCESS_DENIED_XML,
    HTML,
    PDF,
    XML,
    Answer,
    Request,
)
from nba_predictions_tests.standins.live.season import Listed
from nba_predictions_tests.standins.live.teams import TEAMS

#: The first report whose name has minutes.
QUARTERS_BEGIN = datetime(2025, 12, 22, 9, tzinfo=EASTERN)
_NAME = re.compile(r"Injury-Report_(\d{4}-\d{2}-\d{2})_(\d{2})(?:_(\d{2}))?([AP]M)\.pdf")
#: In points from the top of the page.
_BOTTOM_OF_PAGE = 550.0
_REASON_WIDTH = 32
NOT_SUBMITTED = "NOT YET SUBMITTED"


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        lines: all rows.
        splits_a_reason: whether a reason continues on the second page.
        masthead: the moment that the masthead shows, if it is not that of the report.
    """

    made: datetime
    lines: tuple[Line, ...]
    splits_a_reason: bool = False
    masthead: datetime | None = None

    def content(self) -> bytes:
        local = (self.masthead or self.made).astimezone(EASTERN)
        title = f"Injury Report: {local:%m/%d/%y %I:%M %p}"
        return draw(self._pages(), title)

    def _pages(self) -> list[list[Line]]:
        lines = list(self.lines)
        if not self.splits_a_reason:
            return _paged(lines, TOP_OF_FIRST_PAGE)
        at = next(n for n, line in enumerate(lines) if len(line.reason) > 1)
        first = replace(lines[at], reason=lines[at].reason[:1])
        rest = Line(reason=lines[at].reason[1:])
        before = _paged([*lines[:at], first], TOP_OF_FIRST_PAGE)
        return before + _paged([rest, *lines[at + 1 :]], TOP_OF_PAGE)


def _paged(lines: list[Line], top: float) -> list[list[Line]]:
    """Return the rows by page. `top` is that of the first row."""
    pages: list[list[Line]] = [[]]
    for line in lines:
        if pages[-1] and bottom_of(line, top) > _BOTTOM_OF_PAGE:
            pages.append([])
            top = TOP_OF_PAGE
        pages[-1].append(line)
        top = bottom_of(line, top)
    return pages


class Injuries:
    """The files under `/injury`. A report that does not exist, or not yet, answers 403."""

    def answer(self, request: Request, moment: Moment) -> Answer:
        name = request.path.strip("/")
        if not name:
            return Answer("<h1>500 Internal Server Error</h1>", 500, HTML)
        made = time_of(name) if request.is_from_browser else None
        if made is None or made > moment.now:
            return missing()
        report = report_at(made, moment)
        return missing() if report is None else Answer(report, content_type=PDF)


def missing() -> Answer:
    """Return the answer for a report that does not exist."""
    return Answer(ACCESS_DENIED_XML, 403, XML)


def time_of(name: str) -> datetime | None:
    """Return the moment of a report by its name, None if there is no such name.

    >>> time_of("Injury-Report_2025-12-01_05PM.pdf").astimezone(EASTERN).strftime("%H:%M")
    '17:30'
    >>> time_of("Injury-Report_2026-01-05_05_15PM.pdf").astimezone(EASTERN).strftime("%H:%M")
    '17:15'
    >>> time_of("Injury-Report_2026-01-05_05PM.pdf")
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    day, hour, minute, half = found.groups()
    try:
        text = f"{day} {hour}:{minute or 30} {half}"
        local = datetime.strptime(text, "%Y-%m-%d %I:%M %p")  # noqa: DTZ007
    except ValueError:
        return None
    made = local.replace(tzinfo=EASTERN)
    has_minutes = made >= QUARTERS_BEGIN
    if has_minutes != (minute is not None) or made.minute % 15:
        return None
    return made.astimezone(timezone.utc)


def name_of(made: datetime) -> str:
    """Return the name of the report of a moment."""
    local = made.astimezone(EASTERN)
    form = "%Y-%m-%d_%I_%M%p" if local >= QUARTERS_BEGIN else "%Y-%m-%d_%I%p"
    return f"Injury-Report_{local.strftime(form)}.pdf"


def report_at(made: datetime, moment: Moment) -> Report | None:
    """Return the report of a moment about the games of its day and the next day, None without."""
    then = Moment(made, moment.seasons)
    games = then.games(then.today, then.today + timedelta(days=1))
    lines: list[Line] = []
    printed: dict[str, str] = {}
    for game in games:
        local = game.tipoff.astimezone(EASTERN)
        cells = {
            "day": f"{game.day:%m/%d/%Y}",
            "time": f"{local:%I:%M} (ET)",
            "matchup": f"{game.away}@{game.home}",
        }
        for team, players in then.listed(game):
            cells["team"] = TEAMS[team].full_name
            rows = [Line(reason=(NOT_SUBMITTED,))] if players is None else []
            for player in sorted(players or (), key=lambda p: last_name_first(p.player)):
                rows.append(_line(player, then.status(game, player)))
            for row in rows:
                # What is printed once applies until it is replaced.
                new = {name: cell for name, cell in cells.items() if printed.get(name) != cell}
                lines.append(replace(row, **new))
                printed = dict(cells)
    return Report(made, tuple(lines)) if games else None


def _line(player: Listed, status: str) -> Line:
    reason = tuple(textwrap.wrap(player.reason, _REASON_WIDTH))
    return Line(last_name_first(player.player), status.capitalize(), reason)


def last_name_first(name: str) -> str:
    """Return a name as the report writes it.

    >>> last_name_first("Gary Payton II"), last_name_first("Nene")
    ('Payton II, Gary', 'Nene')
    """
    first, _, last = name.partition(" ")
    return f"{last}, {first}" if last else first
