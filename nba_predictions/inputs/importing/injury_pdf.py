"""The injury report of the league, a PDF with a table.

A cell may have several lines, and its reason may continue on the next page. The text of the
document is therefore placed by its position: in the column whose left edge it passes, and in the
band between two horizontal rules of the table.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from nba_predictions.domain.league.games import EASTERN, TEAM_NAMES
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import ConversionError
from nba_predictions.inputs.port import INJURY_STATUSES

if TYPE_CHECKING:
    from pdfplumber.page import Page

_TITLES: Final = (
    *("Game Date", "Game Time", "Matchup", "Team", "Player Name", "Current Status", "Reason"),
)
_DATE, _TIME, _MATCHUP, _TEAM, _PLAYER, _STATUS, _REASON = range(7)
_MASTHEAD: Final = re.compile(
    r"Injury ?Report: ?([0-9]{2})/([0-9]{2})/([0-9]{2}) ?([0-9]{2}):([0-9]{2}) ?([AP]M)"
)
_DAY: Final = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_NOT_SUBMITTED: Final = "NOT YET SUBMITTED"
_TEAMS: Final = {name.replace(" ", "").lower(): team for name, team in TEAM_NAMES.items()}
#: The tolerances, in points, within which words join and rules are equal.
_WORDS: Final[dict[str, Any]] = {"x_tolerance": 1.5, "y_tolerance": 2}
_SAME_LINE: Final = 3.0
_LAYOUT_FIX: Final = "the layout of the report is not known; report it, and use another source"

_Word = dict[str, Any]
_Cells = list[str]


@dataclass
class _Report:
    """The position in the report: what is printed once and applies until it is replaced."""

    observed_at: datetime | None = None
    edges: list[float] = field(default_factory=list)
    day: date | None = None
    team: str | None = None


def recognizes(document: Document) -> bool:
    """Return whether the document is a PDF. Only the injury report is one."""
    return document.is_pdf


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per player and game date. The masthead gives the moment of the report.

    `made_at` and `not_submitted` of the conversion are those of the report.

    Raises:
        ConversionError: the PDF is damaged, is not an injury report, or has another layout.
    """
    # Imported here, because pdfplumber is needed only for this format.
    import pdfplumber

    report = _Report()
    conversion = Conversion("injuries")
    try:
        with pdfplumber.open(io.BytesIO(document.content)) as pdf:
            for page in pdf.pages:
                _convert_page(page, len(pdf.pages), report, conversion)
                page.close()
    except ConversionError:
        raise
    except RecursionError:
        raise ConversionError("it is a damaged PDF (nested too deeply); fetch it again") from None
    except Exception as error:
        # pdfminer raises many kinds of exceptions for damaged documents.
        raise ConversionError(f"it is a damaged PDF ({error!r}); fetch it again") from error
    if report.observed_at is None:
        raise ConversionError("the PDF has no pages; fetch it again")
    conversion.made_at = report.observed_at
    for row in conversion.rows:
        row["observed_at"] = report.observed_at
    if conversion.not_submitted:
        conversion.dropped["not_yet_submitted"] = len(conversion.not_submitted)
        teams = ", ".join(f"{team} {day}" for day, team in conversion.not_submitted)
        conversion.notes.append(f"not yet submitted by {teams}")
    return conversion


def _convert_page(page: Page, pages: int, report: _Report, conversion: Conversion) -> None:
    words = page.extract_words(**_WORDS)
    top = 0.0
    if report.observed_at is None:
        report.observed_at = _moment(words)
        report.edges, top = _column_edges(page, words)
    masthead = [w for w in words if w["bottom"] - w["top"] > 15]
    top = max([top, *(w["bottom"] for w in masthead)])
    footer = _top_of_footer(words, page.page_number, pages)
    body = [w for w in words if top < _middle(w) < footer]
    for number, cells in enumerate(_bands(page, body, report.edges, top, footer)):
        where = f"page {page.page_number}, row {number + 1}"
        _convert_band(cells, where, number == 0, report, conversion)


def _moment(words: Iterable[_Word]) -> datetime:
    text = " ".join(word["text"] for word in words)
    found = _MASTHEAD.search(text)
    if not found:
        raise ConversionError(
            "it is a PDF without the masthead `Injury Report: MM/DD/YY HH:MM AM`; only the "
            "injury report of the league can be imported as a PDF"
        )
    month, day, year, hour, minute = (int(part) for part in found.groups()[:5])
    try:
        local = datetime(
            2000 + year,
            month,
            day,
            hour % 12 + (12 if found[6] == "PM" else 0),
            minute,
            tzinfo=EASTERN,
        )
    except ValueError as error:
        raise ConversionError(f"the masthead {found[0]!r} has an invalid date ({error})") from error
    return local.astimezone(timezone.utc)


def _column_edges(page: Page, words: list[_Word]) -> tuple[list[float], float]:
    """Return the left edges of the columns, and the bottom of the header row."""
    boxes = [
        (rect["x0"], rect["x1"], rect["top"], rect["bottom"])
        for rect in page.rects
        if rect["bottom"] - rect["top"] < 40 and rect["x1"] - rect["x0"] < page.width / 2
    ]
    for _, _, top, bottom in boxes:
        row = sorted(b for b in boxes if abs(b[2] - top) < 1 and abs(b[3] - bottom) < 1)
        titles = tuple(
            " ".join(w["text"] for w in words if x0 <= w["x0"] < x1 and top <= _middle(w) <= bottom)
            for x0, x1, _, _ in row
        )
        if titles == _TITLES:
            return [box[0] for box in row], bottom
    raise ConversionError(
        f"the first page has no header with the columns {', '.join(_TITLES)}; {_LAYOUT_FIX}"
    )


def _top_of_footer(words: list[_Word], number: int, pages: int) -> float:
    """Return the top of `Page 1 of 8`.

    Raises:
        ConversionError: the footer is missing or has other numbers, because a damaged PDF lost a
            page or its text.
    """
    expected = ["Page", str(number), "of", str(pages)]
    for at in range(len(words) - 3):
        if [word["text"] for word in words[at : at + 4]] == expected:
            return float(words[at]["top"])
    raise ConversionError(
        f"page {number} of {pages} has no footer {' '.join(expected)!r}, so text or pages are "
        "missing; fetch the report again"
    )


def _middle(word: _Word) -> float:
    return float(word["top"] + word["bottom"]) / 2


def _bands(
    page: Page, words: list[_Word], edges: list[float], top: float, bottom: float
) -> Iterator[_Cells]:
    """Yield the cells of each band between two rules that span the column of the reasons."""
    left = edges[_REASON]
    rules = sorted(
        edge["top"]
        for edge in page.edges
        if edge["orientation"] == "h"
        and edge["x0"] <= left + 2
        and edge["x1"] >= left + 50
        and top < edge["top"] < bottom
    )
    limits = [top, *rules, bottom]
    for start, end in pairwise(limits):
        inside = [w for w in words if start <= _middle(w) < end]
        cells = [
            _joined(w for w in inside if _column(w, edges) == column)
            for column in range(len(edges))
        ]
        if any(cells):
            yield cells


def _column(word: _Word, edges: list[float]) -> int:
    return max(sum(word["x0"] >= edge - 1 for edge in edges) - 1, 0)


def _joined(words: Iterable[_Word]) -> str:
    """Return the text of a cell, line by line."""
    lines: list[list[_Word]] = []
    for word in sorted(words, key=lambda w: w["top"]):
        if lines and word["top"] - lines[-1][0]["top"] < _SAME_LINE:
            lines[-1].append(word)
        else:
            lines.append([word])
    return " ".join(w["text"] for line in lines for w in sorted(line, key=lambda w: w["x0"]))


def _convert_band(
    cells: _Cells, where: str, is_first: bool, report: _Report, conversion: Conversion
) -> None:
    if cells[_DATE]:
        report.day = _day(cells[_DATE], where)
    if cells[_TEAM]:
        report.team = _TEAMS.get(cells[_TEAM].replace(" ", "").lower())
        if report.team is None:
            raise ConversionError(f"{where}: {cells[_TEAM]!r} is not a team; {_LAYOUT_FIX}")
    reason = cells[_REASON]
    if not cells[_PLAYER] and not cells[_STATUS]:
        if reason.replace(" ", "") == _NOT_SUBMITTED.replace(" ", ""):
            if report.team is None or report.day is None:
                raise ConversionError(f"{where}: the team or the date is missing; {_LAYOUT_FIX}")
            conversion.not_submitted.append((report.day, report.team))
            return
        is_rest = not any(cells[:_REASON])
        if is_first and is_rest and conversion.rows:
            last = conversion.rows[-1]
            last["reason"] = " ".join(part for part in (last["reason"], reason) if part)
            return
        raise ConversionError(f"{where}: {' '.join(cells).strip()!r} has no player; {_LAYOUT_FIX}")
    conversion.rows.append(_row(cells, where, report))


def _row(cells: _Cells, where: str, report: _Report) -> Row:
    status = cells[_STATUS].upper()
    if status not in INJURY_STATUSES:
        raise ConversionError(
            f"{where}: {cells[_STATUS]!r} is not one of {', '.join(INJURY_STATUSES)}; {_LAYOUT_FIX}"
        )
    if not cells[_PLAYER] or report.day is None or report.team is None:
        raise ConversionError(
            f"{where}: the player, the team or the date is missing; {_LAYOUT_FIX}"
        )
    return {
        "game_date": report.day,
        "team": report.team,
        "player": first_name_first(cells[_PLAYER]),
        "status": status,
        "reason": cells[_REASON] or None,
    }


def _day(text: str, where: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        if found:
            return date(int(found[3]), int(found[1]), int(found[2]))
    except ValueError:
        pass
    raise ConversionError(f"{where}: {text!r} is not a date as in 01/10/2025; {_LAYOUT_FIX}")


def first_name_first(name: str) -> str:
    """Return a name in the usual order.

    >>> first_name_first("Payton II, Gary"), first_name_first("Nene")
    ('Gary Payton II', 'Nene')
    """
    last, _, first = name.partition(",")
    return " ".join([*first.split(), *last.split()])
