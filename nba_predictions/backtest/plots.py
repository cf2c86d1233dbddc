"""Plots as PNG bytes. matplotlib is imported when one is drawn, and draws without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, which people with colour blindness can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")


def reliability(table: pl.DataFrame, title: str) -> bytes:
    """Observed against forecast share of overs, a line per system.

    Args:
        table: system, forecast, observed, and observed_se where it is known, one row per bin.
    """
    figure, axes = _figure(6.0, 6.0)
    axes.plot((0, 1), (0, 1), color="#999999", linestyle="--", linewidth=1, label="perfect")
    for number, (name, own) in enumerate(_by(table, "system")):
        axes.errorbar(
            own["forecast"].to_list(),
            own["observed"].to_list(),
            yerr=_errors(own, "observed_se"),
            color=COLOURS[number % len(COLOURS)],
            marker="o",
            markersize=4,
            linewidth=1.2,
            capsize=2,
            label=name,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="forecast share of overs", ylabel="observed share")
    return _png(figure, axes, title)


def errors_by_month(table: pl.DataFrame) -> bytes:
    """Mean absolute error per month, a line per forecaster.

    Args:
        table: forecaster, slice (month), mae, mae_se.
    """
    figure, axes = _figure(8.0, 4.5)
    for number, (name, own) in enumerate(_by(table, "forecaster")):
        axes.plot(
            own["slice"].to_list(),
            own["mae"].to_list(),
            color=COLOURS[number % len(COLOURS)],
            marker="o",
            markersize=3,
            linewidth=1.2,
            label=name,
        )
    axes.set(ylabel="mean absolute error, points")
    return _png(figure, axes, "Error by month, the same rows for all")


def rolling_errors(
    table: pl.DataFrame, bands: Mapping[str, tuple[float | None, float | None]]
) -> bytes:
    """The rolling error of each system in a panel of its own, with the band it should stay in.

    Args:
        table: system, game_date, error.
        bands: by system, the lowest and highest error that is in its band; None where not known.
    """
    parts = _by(table, "system")
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    figure = _canvas(3.6 * columns, 2.7 * rows)
    panels = [*figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat]
    for number, (panel, (name, own)) in enumerate(zip(panels, parts, strict=False)):
        low, high = bands.get(name, (None, None))
        if low is not None and high is not None:
            panel.axhspan(low, high, color="#999999", alpha=0.2, linewidth=0)
        colour = COLOURS[number % len(COLOURS)]
        panel.plot(own["game_date"].to_list(), own["error"].to_list(), color=colour, linewidth=1.2)
        panel.set_title(name, fontsize=9)
        panel.grid(alpha=0.25)
        panel.tick_params(axis="x", rotation=45, labelsize=7)
    for panel in panels[len(parts) :]:
        panel.set_visible(False)
    figure.supylabel("mean absolute error, points", fontsize=9)
    return _bytes(figure)


def _by(table: pl.DataFrame, name: str) -> list[tuple[str, pl.DataFrame]]:
    parts = table.partition_by(name, maintain_order=True)
    return [(str(own[name][0]), own) for own in parts]


def _errors(own: pl.DataFrame, name: str) -> list[float] | None:
    if name not in own.columns:
        return None
    return [float(v) for v in own[name].fill_nan(0.0).fill_null(0.0)]


def _canvas(width: float, height: float) -> Figure:
    # The object-oriented interface: pyplot keeps figures in a global, and looks for a display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=90, layout="constrained")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = _canvas(width, height)
    return figure, figure.add_subplot()


def _png(figure: Figure, axes: Axes, title: str) -> bytes:
    axes.set_title(title)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return _bytes(figure)


def _bytes(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    out = io.BytesIO()
    # A plot has few colours: with a palette of them it is a third as large, and looks the same.
    drawn.quantize(128).save(out, "png", optimize=True)
    return out.getvalue()
