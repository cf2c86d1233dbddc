"""The plots of a night as small PNGs, for the Dagster UI and the report page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A calibration bucket with fewer rows of a system is not drawn.
_FEWEST_ROWS = 10
#: With at least this many dates, the mean of the last seven is drawn instead of each date.
_MANY_DATES, _WEEK = 15, 7


def distributions(at_base: pl.DataFrame) -> bytes:
    """Draw histograms of each system's predicted points and of its probabilities at the base line.

    `at_base` is the result of the query `night_at_base_line`.
    """
    figure, (points, over) = drawing.figure(9.0, 3.6, columns=2)
    title = "Predictions for the players"
    _ridges(points, at_base, "predicted_points", title, "units of the market")
    with_line = at_base.filter(pl.col("over_probability").is_not_null())
    title = "Probability of more than the base line"
    _ridges(over, with_line, "over_probability", title, "probability", bounds=(0.0, 1.0))
    return drawing.png(figure)


def against_the_line(at_base: pl.DataFrame, system: str = "ensemble") -> bytes:
    """Draw one system's predicted points for each player against the base line."""
    figure, (axes,) = drawing.figure(5.6, 4.2)
    axes.set_title(f"Predicted points of {system} against the line")
    axes.set_xlabel("base line, points")
    axes.set_ylabel("predicted points")
    with_line = at_base.filter((pl.col("system_id") == system) & pl.col("base_line").is_not_null())
    if with_line.is_empty():
        drawing.write_placeholder(axes, f"{system} has no player with a line")
        return drawing.png(figure)
    lines = with_line["base_line"].cast(pl.Float64).to_numpy()
    predicted = with_line["predicted_points"].to_numpy()
    top = float(max(lines.max(), predicted.max())) * 1.06 + 1.0
    axes.plot([0, top], [0, top], color=drawing.GRAY, linewidth=1, linestyle="--")
    for recommendation, (color, marker) in {
        "OVER": ("#0072B2", "^"),
        "UNDER": ("#D55E00", "v"),
        "PASS": ("#999999", "o"),
    }.items():
        chosen = (with_line["recommendation"] == recommendation).to_numpy()
        axes.plot(
            *(lines[chosen], predicted[chosen], marker),
            color=color,
            markersize=4,
            alpha=0.7,
            linestyle="none",
            label=f"{recommendation} {chosen.sum()}",
        )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return drawing.png(figure)


def calibration(buckets: pl.DataFrame, dates: str) -> bytes:
    """Draw the observed share of overs by predicted probability, with the number of rows below.

    `buckets` is the result of the query `calibration`. A bucket with fewer than ten rows of a
    system is too uncertain and is omitted from its curve.
    """
    figure, (curve, counts) = drawing.figure(5.6, 4.2, rows=2, heights=(3, 1))
    curve.set_title(f"Calibration, {dates}")
    curve.set_ylabel("share of points above the line")
    counts.set_xlabel("predicted probability of more points than the line")
    if buckets.is_empty():
        figure.delaxes(counts)
        drawing.write_placeholder(curve, "no graded prediction with a line")
        return drawing.png(figure)
    curve.plot([0, 1], [0, 1], color=drawing.GRAY, linewidth=1, linestyle="--", label="perfect")
    systems = _systems(buckets)
    for system, style in systems.items():
        of_system = buckets.filter(
            (pl.col("system_id") == system) & (pl.col("row_count") >= _FEWEST_ROWS)
        )
        drawing.curve(curve, of_system["said"], of_system["came"], style, system)
    rows = buckets.group_by("bucket").agg(pl.col("row_count").sum()).sort("bucket")
    # Every system has the same rows. The bars show the rows of one system.
    counts.bar(
        (rows["bucket"] / 10 + 0.05).to_numpy(),
        (rows["row_count"] / len(systems)).to_numpy(),
        width=0.09,
        color=drawing.FAINT,
        edgecolor=drawing.GRAY,
        linewidth=0.5,
    )
    counts.set_ylabel("rows per\nsystem")
    counts.sharex(curve)
    curve.set_xlim(0, 1)
    curve.set_ylim(0, 1)
    curve.legend(frameon=False, loc="lower right", fontsize=7)
    return drawing.png(figure)


def error_by_system(graded: pl.DataFrame, dates: str) -> bytes:
    """Draw the mean absolute error of each system, and of the base line for the same players.

    `graded` is the result of the query `graded_night`.
    """
    figure, (axes,) = drawing.figure(6.4, 2.8)
    axes.set_title(f"Error by system, players with a line, {dates}")
    axes.set_xlabel("mean absolute error")
    measured = graded.filter(pl.col("error_with_line").is_not_null())
    if measured.is_empty():
        drawing.write_placeholder(axes, "no graded player with a line")
        return drawing.png(figure)
    measured = measured.sort("error_with_line", descending=True)
    line_of = {
        market: _mean_line_error(measured.filter(pl.col("market") == market))
        for market in measured["market"].unique().sort()
    }
    for line in line_of.values():
        axes.axvline(line, color=drawing.GRAY, linestyle="--", linewidth=1)
    names, errors = measured["system_id"].to_list(), measured["error_with_line"].to_list()
    rows = zip(names, errors, measured["market"], strict=True)
    for row, (name, error, market) in enumerate(rows):
        color, marker = _systems(measured)[name]
        line = line_of[market]
        axes.hlines(row, min(line, error), max(line, error), color=color, linewidth=2)
        axes.plot([error], [row], color=color, marker=marker, markersize=7)
        axes.annotate(
            f"{error:.2f}",
            (error, row),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.3)
    shown = [*errors, *line_of.values()]
    margin = 0.15 + 0.1 * (max(shown) - min(shown))
    axes.set_xlim(min(shown) - margin, max(shown) + margin)
    lines = ", ".join(f"{line:.2f} {market}" for market, line in line_of.items())
    axes.set_xlabel(f"mean absolute error (dashed: the base line, {lines})")
    axes.tick_params(axis="y", length=0)
    return drawing.png(figure)


def error_by_date(errors: pl.DataFrame) -> bytes:
    """Draw the mean absolute error of each system and of the base line by date.

    `errors` is the result of the query `error_by_date`. With many dates, the unweighted mean of the
    last seven dates is drawn.
    """
    figure, (axes,) = drawing.figure(6.4, 3.2)
    dates = errors["game_date"].unique().sort().to_list()
    many = len(dates) >= _MANY_DATES
    title = "Error by system, players with a line"
    axes.set_title(f"{title}, mean of {_WEEK} dates" if many else title)
    axes.set_ylabel("mean absolute error")
    if errors.is_empty():
        drawing.write_placeholder(axes, "no graded date with lines")
        return drawing.png(figure)
    # The x axis numbers the dates, so that dates without games leave no gap.
    number = {day: n for n, day in enumerate(dates)}
    for system, (color, marker) in _systems(errors).items():
        of_system = errors.filter(pl.col("system_id") == system)
        days = [number[day] for day in of_system["game_date"]]
        means = _smooth(of_system["mean_absolute_error"], many)
        drawing.curve(axes, days, means, (color, "" if many else marker), system)
    by_date = errors.group_by("market", "game_date").agg(pl.col("error_of_line").mean())
    for (market,), line in by_date.sort("market", "game_date").group_by(
        "market", maintain_order=True
    ):
        axes.plot(
            [number[day] for day in line["game_date"]],
            _smooth(line["error_of_line"], many),
            color=drawing.GRAY,
            linestyle="--",
            marker="" if many else ".",
            linewidth=1.5,
            label=f"base line, {market}",
        )
    shown = np.unique(np.linspace(0, len(dates) - 1, min(len(dates), 6)).round().astype(int))
    axes.set_xticks(shown, [f"{dates[n]:%b %d}" for n in shown])
    if len(dates) == 1:
        axes.set_xlim(-1, 1)
    low, high = axes.get_ylim()
    # Leave space for the legend, and do not exaggerate differences of a hundredth of a point.
    axes.set_ylim(max(0.0, low - 0.1 - 0.35 * max(high - low, 0.4)), high + 0.1)
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="lower left")
    return drawing.png(figure)


def _smooth(errors: pl.Series, many: bool) -> pl.Series:
    return errors.rolling_mean(_WEEK, min_samples=1) if many else errors


def _mean_line_error(graded: pl.DataFrame) -> float:
    weighted = (graded["error_of_line"] * graded["with_line"]).sum()
    return float(weighted) / float(graded["with_line"].sum())


def _systems(frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Return the color and marker of each system of a frame."""
    return drawing.styles(frame["system_id"].unique().to_list())


def _ridges(
    axes: Axes,
    frame: pl.DataFrame,
    column: str,
    title: str,
    unit: str,
    bounds: tuple[float, float] | None = None,
) -> None:
    """Draw one histogram per system, one above the other, with the median."""
    axes.set_title(title)
    axes.set_xlabel(unit)
    if frame.is_empty():
        drawing.write_placeholder(axes, "no rows")
        return
    values = frame[column].to_numpy()
    low, high = bounds or (
        min(0.0, float(np.floor(values.min()))),
        float(np.ceil(values.max())) + 1,
    )
    edges = np.linspace(low, high, 31)
    systems = _systems(frame)
    of_system = {system: values[(frame["system_id"] == system).to_numpy()] for system in systems}
    heights = {system: np.histogram(of_system[system], edges)[0] for system in systems}
    tallest = max(int(height.max()) for height in heights.values()) or 1
    for base, (system, (color, _)) in enumerate(reversed(systems.items())):
        top = base + 0.85 * heights[system] / tallest
        axes.stairs(top, edges, baseline=base, fill=True, color=color, alpha=0.65)
        median = float(np.median(of_system[system]))
        axes.plot([median, median], [base, base + 0.85], color=drawing.GRAY, linewidth=1)
        digits = 2 if bounds else 1
        axes.text(median, base + 0.72, f" {median:.{digits}f}", fontsize=8, color=drawing.GRAY)
    axes.set_yticks([base + 0.3 for base in range(len(systems))], list(reversed(systems)))
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(low, high)
    axes.set_ylim(0, len(systems))
