"""How everything is drawn: figures without pyplot, colours and marks of the systems, small PNGs.

pyplot keeps state for the whole process; without it any thread may draw. The library is imported
when something is drawn: a sensor or a command that draws nothing does not pay. Colours are told
apart by colour-blind readers (Okabe and Ito), and systems by their marks as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

_STYLES = {
    "ensemble": ("#000000", "o"),
    "market_blend": ("#E69F00", "P"),
    "moving_average": ("#0072B2", "s"),
    "similarity": ("#009E73", "^"),
    "xgboost": ("#D55E00", "D"),
    "zone_matchup": ("#CC79A7", "v"),
}
#: For systems that are not among those.
_SPARE = (("#56B4E9", "X"), ("#999999", "*"), ("#F0E442", "p"), ("#7F7F00", "<"))
GREY, FAINT = "#595959", "#d9d9d9"
_DPI = 90


def styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return colour and mark for each of the names; a system always has the same."""
    wanted = sorted(set(names))
    strangers = [name for name in wanted if name not in _STYLES]
    spare = {name: _SPARE[place % len(_SPARE)] for place, name in enumerate(strangers)}
    return {name: _STYLES.get(name) or spare[name] for name in wanted}


def figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of so many inches, and its axes row by row."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=_DPI, layout="tight", facecolor="white")
    grid = made.subplots(rows, columns, squeeze=False, height_ratios=heights)
    every = [axes for row in grid for axes in row]
    for axes in every:
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return made, every


def nothing(axes: Axes, why: str) -> None:
    """Say in the middle of the axes that there is nothing to draw, and why."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=GREY)


@lru_cache(maxsize=1)
def _palette() -> Image.Image:
    """Return every colour that is drawn with, thinned towards white, and all greys between.

    A palette found in the picture itself would give up the colour of a single small mark.
    """
    from PIL import Image

    names = {colour for colour, _ in (*_STYLES.values(), *_SPARE)}
    shades = np.linspace(0.0, 0.9, 12)
    # Not too many greys: Pillow looks for the nearest in coarse steps, and white has to stay white.
    colours = [(level, level, level) for level in range(255, -1, -15)]
    for name in sorted(names - {"#000000"}):
        red, green, blue = (int(name[at : at + 2], 16) for at in (1, 3, 5))
        for shade in shades:
            colours.append(tuple(round(c + (255 - c) * shade) for c in (red, green, blue)))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    return palette


def png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    for axes in figure.axes:
        axes.title.set(fontsize=10, fontweight="bold")
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(8.5)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = BytesIO()
    # A plot has few colours: with a palette of them it is a third as large, and looks the same.
    few = drawn.quantize(palette=_palette(), dither=Image.Dither.NONE)
    few.save(buffer, "png", optimize=True)
    return buffer.getvalue()
