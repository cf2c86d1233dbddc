"""Draw PDFs with the layout of the league's injury report, with invented rows."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

WIDTH, HEIGHT = 842.0, 595.0
#: The tops of the first rows, in points from the top of the page.
TOP_OF_FIRST_PAGE, TOP_OF_PAGE = 121.7, 80.0
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
    """Return a PDF of the pages. Its text is Latin, in one of the fonts that every reader has."""
    contents = []
    for number, lines in enumerate(pages, start=1):
        parts = [_text(289, 64, masthead, size=22)]
        top = TOP_OF_PAGE
        if number == 1:
            parts += _header(titles)
            top = TOP_OF_FIRST_PAGE
        for line in lines:
            parts += _row(line, top)
            top = bottom_of(line, top)
        parts.append(_text(400, 566, f"Page {number} of {len(pages)}"))
        contents.append("\n".join(parts).encode("cp1252"))
    return _pdf(contents)


def bottom_of(line: Line, top: float) -> float:
    """Return the bottom of a row with the given top, in points from the top of the page."""
    return top + 8 + 14 * len(line.reason)


def _text(x: float, baseline: float, text: str, size: float = 10) -> str:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size} Tf {x:.2f} {HEIGHT - baseline:.2f} Td ({escaped}) Tj ET"


def _header(titles: Sequence[str]) -> list[str]:
    parts = []
    for left, right, title in zip(EDGES, EDGES[1:], titles, strict=False):
        box = f"{left:.2f} {HEIGHT - 121.7:.2f} {right - left:.2f} 21.3 re f"
        parts += [f"0.96 0.97 0.97 rg {box} 0 g", _text(left + 4, 114, title)]
    return parts


def _row(line: Line, top: float) -> list[str]:
    """Return the text of a row and the rule below it."""
    bottom = bottom_of(line, top)
    middle = (top + bottom) / 2
    cells = (line.day, line.time, line.matchup, line.team, line.player, line.status)
    parts = [
        _text(left + 5, middle + 3.5, cell)
        for left, cell in zip(EDGES, cells, strict=False)
        if cell
    ]
    for at, part in enumerate(line.reason):
        y = middle + 3.5 + 14 * (at - (len(line.reason) - 1) / 2)
        parts.append(_text(EDGES[6] + 5, y, part))
    y = HEIGHT - bottom
    for left, right in pairwise(EDGES[4:]):
        parts.append(f"0.5 w {left:.2f} {y:.2f} m {right:.2f} {y:.2f} l S")
    return parts


def _pdf(contents: Sequence[bytes]) -> bytes:
    """Return a PDF with one page per content stream."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [ {kids} ] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents "
            f"{5 + 2 * number} 0 R /Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        packed = zlib.compress(content)
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + packed + b"\nendstream")
    document = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(document))
        document += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    return (
        bytes(document)
        + (
            f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
            f"startxref\n{len(document)}\n%%EOF\n"
        ).encode()
    )
