"""Draw the plots of a backtest and of the calibration and drift assets."""

from collections.abc import Mapping

import polars as pl

from nba_predictions.report import drawing


def reliability(table: pl.DataFrame, title: str) -> bytes:
    """Draw the observed against the forecast share of overs, a line per system.

    The table has system, forecast, observed and, if known, observed_se, one row per bin.
    """
    figure, (axes,) = drawing.figure(6.0, 6.0)
    axes.plot((0, 1), (0, 1), color=drawing.GRAY, linestyle="--", linewidth=1, label="perfect")
    for name, part, (color, mark) in _by(table, "system"):
        axes.errorbar(
            part["forecast"].to_list(),
            part["observed"].to_list(),
            yerr=_errors(part, "observed_se"),
            color=color,
            marker=mark,
            markersize=4,
            linewidth=1.2,
            capsize=2,
            label=name,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="forecast share of overs", ylabel="observed share")
    axes.set_title(title)
    axes.legend(fontsize=8)
    return drawing.png(figure)


def errors_by_month(table: pl.DataFrame) -> bytes:
    """Draw the mean absolute error (mae, mae_se) per slice (month), a line per forecaster."""
    figure, (axes,) = drawing.figure(8.0, 4.5)
    for name, part, style in _by(table, "forecaster"):
        drawing.curve(axes, part["slice"].to_list(), part["mae"].to_list(), style, name, size=3)
    axes.set_ylabel("mean absolute error, points")
    axes.set_title("Error by month, the same rows for all")
    axes.legend(fontsize=8)
    return drawing.png(figure)


def rolling_errors(
    table: pl.DataFrame, bands: Mapping[str, tuple[float | None, float | None]]
) -> bytes:
    """Draw the rolling error of each system in its own panel, with its usual band.

    The table has system, game_date and error; `bands` the lowest and highest usual error.
    """
    parts = _by(table, "system")
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    figure, panels = drawing.figure(3.6 * columns, 2.7 * rows, rows, columns)
    # One scale for all panels, so that the systems can be compared.
    for panel in panels[1:]:
        panel.sharex(panels[0])
        panel.sharey(panels[0])
    for panel, (name, part, (color, _)) in zip(panels, parts, strict=False):
        low, high = bands.get(name, (None, None))
        if low is not None and high is not None:
            panel.axhspan(low, high, color=drawing.GRAY, alpha=0.2, linewidth=0)
        panel.plot(part["game_date"].to_list(), part["error"].to_list(), color=color, linewidth=1.2)
        panel.set_title(name)
        panel.tick_params(axis="x", rotation=45, labelsize=7)
    for panel in panels[len(parts) :]:
        panel.set_visible(False)
    figure.supylabel("mean absolute error, points", fontsize=9)
    return drawing.png(figure)


def _by(table: pl.DataFrame, name: str) -> list[tuple[str, pl.DataFrame, tuple[str, str]]]:
    """Return the parts of a table by name, each with the color and mark of that name."""
    parts = table.partition_by(name, maintain_order=True)
    named = [(str(part[name][0]), part) for part in parts]
    styles = drawing.styles(key for key, _ in named)
    return [(key, part, styles[key]) for key, part in named]


def _errors(part: pl.DataFrame, name: str) -> list[float] | None:
    if name not in part.columns:
        return None
    return [float(v) for v in part[name].fill_nan(0.0).fill_null(0.0)]
