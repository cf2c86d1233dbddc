"""Draw PDFs with the layout of the league's injury report, with invented rows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

WIDTH, HEIGHT = 842.0, 595.0
EDGES = (19.1, 115.6, 196.0, 260.2, 421.0, 581.7, 662.1, 822.8)
TITLES = (
    *("Game Date", "Game Time", "Matchup", "Team", "Player Name", "Current Status", "Reason"),
)
MASTHEAD = "Injury Report: 01/10/25 05:30 PM"


@dataclass(frozen=True)
class Line:
    """A row of the report; empty cells repeat the row above. `reason` has one line per item."""

    player: str = ""
    status: str = ""
    reason: Sequence[str] = ("",)
    team: str = ""
    day: str = ""
    time: str = ""
    matchup: str = ""


#: Two pages. The reason of the last row of the first one continues on the second.
PAGES: tuple[tuple[Line, ...], ...] = (
    (
        Line(
            "Lalson Jr., Arlo",
            "Out",
            ("Injury/Illness - Left Knee; Patellar", "Tendinopathy"),
            "Los Angeles Lakers",
            "01/10/2025",
            "07:30 (ET)",
            "LAL@BOS",
        ),
        Line("Lalson II, Dora", "Questionable", ("G League - Two-Way",)),
        Line(
            "Bosson, Benno", "Probable", ("Injury/Illness - Right Foot; Stress",), "Boston Celtics"
        ),
    ),
    (
        Line(reason=("Reaction",)),
        Line(
            reason=("NOT YET SUBMITTED",),
            team="Phoenix Suns",
            time="10:00 (ET)",
            matchup="PHX@LAC",
            day="01/11/2025",
        ),
        Line("O'Clip-Per, D'Ann", "Available", ("Not With Team",), "LA Clippers"),
    ),
)


def changed(
    pages: Sequence[Sequence[Line]], page: int, row: int, **changes: object
) -> list[list[Line]]:
    """Return the pages with one row changed."""
    copied = [list(lines) for lines in pages]
    copied[page][row] = replace(copied[page][row], **changes)  # type: ignore[arg-type]
    return copied


def draw(
    pages: Sequence[Sequence[Line]] = PAGES,
    masthead: str = MASTHEAD,
    titles: Sequence[str] = TITLES,
) -> bytes:
    """Return a PDF of the pages."""
    content = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42, "font.size": 10}), PdfPages(content) as pdf:
        for number, lines in enumerate(pages, start=1):
            figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
            _text(figure, 289, 64, masthead, size=22)
            top = 80.0
            if number == 1:
                _draw_header(figure, titles)
                top = 121.7
            for line in lines:
                top = _draw_line(figure, line, top)
            _text(figure, 400, 566, f"Page {number} of {len(pages)}")
            pdf.savefig(figure)
    return content.getvalue()


def _text(figure: Figure, x: float, baseline: float, text: str, size: float = 10) -> None:
    figure.text(x / WIDTH, 1 - baseline / HEIGHT, text, fontsize=size)


def _draw_header(figure: Figure, titles: Sequence[str]) -> None:
    for left, right, title in zip(EDGES, EDGES[1:], titles, strict=False):
        size = ((right - left) / WIDTH, 21.3 / HEIGHT)
        corner = (left / WIDTH, 1 - 121.7 / HEIGHT)
        figure.add_artist(Rectangle(corner, *size, facecolor="#f6f8f8", edgecolor="none"))
        _text(figure, left + 4, 114, title)


def _draw_line(figure: Figure, line: Line, top: float) -> float:
    """Draw a row and the rule below it; return the bottom of the row."""
    bottom = top + 8 + 14 * len(line.reason)
    middle = (top + bottom) / 2
    cells = (line.day, line.time, line.matchup, line.team, line.player, line.status)
    for left, cell in zip(EDGES, cells, strict=False):
        _text(figure, left + 5, middle + 3.5, cell)
    for at, part in enumerate(line.reason):
        _text(figure, EDGES[6] + 5, middle + 3.5 + 14 * (at - (len(line.reason) - 1) / 2), part)
    y = 1 - bottom / HEIGHT
    for left, right in pairwise(EDGES[4:]):
        figure.add_artist(Line2D([left / WIDTH, right / WIDTH], [y, y], color="k", linewidth=0.5))
    return bottom
