"""Figures, styles of the systems, and small PNGs for all plots of the project.

Figures do not use pyplot, which keeps global state, so that any thread may draw. matplotlib is
imported only when a plot is drawn. The colors suit color-blind readers (Okabe and Ito), and each
system also has its own marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

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
#: Styles of systems that are not in _STYLES.
_SPARE_STYLES = (("#56B4E9", "X"), ("#999999", "*"), ("#F0E442", "p"), ("#7F7F00", "<"))
GRAY, FAINT = "#595959", "#d9d9d9"
_DPI = 90


def styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the color and marker of each name. A known system always has the same style."""
    unique = sorted(set(names))
    unknown = [name for name in unique if name not in _STYLES]
    spare = {name: _SPARE_STYLES[n % len(_SPARE_STYLES)] for n, name in enumerate(unknown)}
    return {name: _STYLES.get(name) or spare[name] for name in unique}


def figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with its size in inches, and its axes row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="tight", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    all_axes = [axes for row in grid for axes in row]
    for axes in all_axes:
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, all_axes


def curve(axes: Axes, x: Any, y: Any, style: tuple[str, str], label: str, size: float = 4) -> None:
    """Draw a labeled line with a color, and with a marker of this size at each point."""
    color, marker = style
    axes.plot(x, y, color=color, marker=marker, markersize=size, linewidth=1.2, label=label)


def write_placeholder(axes: Axes, reason: str) -> None:
    """Write in the middle of empty axes why nothing is drawn."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=GRAY)


@lru_cache(maxsize=1)
def _palette() -> Image.Image:
    """Return a palette of all colors in use, lightened in steps, and of grays.

    A palette computed from the image could lose the color of a single small marker.
    """
    from PIL import Image

    codes = {color for color, _ in (*_STYLES.values(), *_SPARE_STYLES)}
    shades = np.linspace(0.0, 0.9, 12)
    # Few grays: Pillow looks up the nearest color in coarse steps, and white must stay white.
    colors = [(level, level, level) for level in range(255, -1, -15)]
    for code in sorted(codes - {"#000000"}):
        red, green, blue = (int(code[at : at + 2], 16) for at in (1, 3, 5))
        for shade in shades:
            colors.append(tuple(round(c + (255 - c) * shade) for c in (red, green, blue)))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in colors for part in color])
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
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = BytesIO()
    # With a palette, the file has a third of the size and looks the same.
    image = image.quantize(palette=_palette(), dither=Image.Dither.NONE)
    image.save(buffer, "png", optimize=True)
    return buffer.getvalue()
