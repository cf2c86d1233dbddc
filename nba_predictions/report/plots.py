"""The pictures of a night, as small PNGs: the same for the Dagster UI and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST_ROWS = 10
#: From so many dates on, single ones are noise: means of a week of them are drawn.
_MANY_DATES, _WEEK = 15, 7


def distributions(at_base: pl.DataFrame) -> bytes:
    """Draw how each system's predictions, and its probabilities at the base line, are spread.

    Args:
        at_base: a row per player and system, as `night_at_base_line` gives it.
    """
    figure, (points, over) = drawing.figure(9.0, 3.6, columns=2)
    title = "Predicted points of the players"
    _ridges(points, at_base, "predicted_points", title, "points")
    with_line = at_base.filter(pl.col("over_probability").is_not_null())
    title = "Probability of more points than the base line"
    _ridges(over, with_line, "over_probability", title, "probability", bounds=(0.0, 1.0))
    return drawing.png(figure)


def against_the_line(at_base: pl.DataFrame, system: str = "ensemble") -> bytes:
    """Draw one system's predicted points of each player against his base line."""
    figure, (axes,) = drawing.figure(5.6, 4.2)
    axes.set_title(f"Where {system} disagrees with the line")
    axes.set_xlabel("base line, points")
    axes.set_ylabel("predicted points")
    found = at_base.filter((pl.col("system_id") == system) & pl.col("base_line").is_not_null())
    if found.is_empty():
        drawing.nothing(axes, f"{system} has no player with a line")
        return drawing.png(figure)
    lines = found["base_line"].cast(pl.Float64).to_numpy()
    predicted = found["predicted_points"].to_numpy()
    top = float(max(lines.max(), predicted.max())) * 1.06 + 1.0
    axes.plot([0, top], [0, top], color=drawing.GREY, linewidth=1, linestyle="--")
    for called, (colour, mark) in {
        "OVER": ("#0072B2", "^"),
        "UNDER": ("#D55E00", "v"),
        "PASS": ("#999999", "o"),
    }.items():
        chosen = (found["recommendation"] == called).to_numpy()
        axes.plot(
            *(lines[chosen], predicted[chosen], mark),
            color=colour,
            markersize=4,
            alpha=0.7,
            linestyle="none",
            label=f"{called} {chosen.sum()}",
        )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return drawing.png(figure)


def calibration(buckets: pl.DataFrame, when: str) -> bytes:
    """Draw how often the points were above the line, by what was said; and how many rows say so.

    A tenth with fewer than ten rows of a system says nothing, and is left out of its curve.

    Args:
        buckets: as `calibration` gives them: system_id, bucket, row_count, said, came.
        when: the dates that they are of, in words.
    """
    figure, (curve, counts) = drawing.figure(5.6, 4.2, rows=2, heights=(3, 1))
    curve.set_title(f"Calibration, {when}")
    curve.set_ylabel("were above the line, share")
    counts.set_xlabel("probability of more points than the line, as predicted")
    if buckets.is_empty():
        figure.delaxes(counts)
        drawing.nothing(curve, "no graded prediction with a line")
        return drawing.png(figure)
    curve.plot([0, 1], [0, 1], color=drawing.GREY, linewidth=1, linestyle="--", label="perfect")
    systems = _systems(buckets)
    for system, (colour, mark) in systems.items():
        of_system = buckets.filter(
            (pl.col("system_id") == system) & (pl.col("row_count") >= _FEWEST_ROWS)
        )
        curve.plot(
            *(of_system["said"], of_system["came"]),
            color=colour,
            marker=mark,
            markersize=4,
            linewidth=1.2,
            label=system,
        )
    rows = buckets.group_by("bucket").agg(pl.col("row_count").sum()).sort("bucket")
    # Every system has the same rows; what is shown is how many of one.
    counts.bar(
        (rows["bucket"] / 10 + 0.05).to_numpy(),
        (rows["row_count"] / len(systems)).to_numpy(),
        width=0.09,
        color=drawing.FAINT,
        edgecolor=drawing.GREY,
        linewidth=0.5,
    )
    counts.set_ylabel("rows of a\nsystem, mean")
    counts.sharex(curve)
    curve.set_xlim(0, 1)
    curve.set_ylim(0, 1)
    curve.legend(frameon=False, loc="lower right", fontsize=7)
    return drawing.png(figure)


def error_by_system(graded: pl.DataFrame, when: str) -> bytes:
    """Draw the mean absolute error of each system and, on the same players, of the base line.

    Args:
        graded: as `graded_night` gives it.
        when: the dates that it is of, in words.
    """
    figure, (axes,) = drawing.figure(6.4, 2.8)
    axes.set_title(f"Error by system, players with a line, {when}")
    axes.set_xlabel("mean absolute error, points")
    found = graded.filter(pl.col("error_with_line").is_not_null())
    if found.is_empty():
        drawing.nothing(axes, "no graded player with a line")
        return drawing.png(figure)
    found = found.sort("error_with_line", descending=True)
    line = _mean_of_line(found)
    axes.axvline(line, color=drawing.GREY, linestyle="--", linewidth=1)
    names, errors = found["system_id"].to_list(), found["error_with_line"].to_list()
    for place, (name, error) in enumerate(zip(names, errors, strict=True)):
        colour, mark = _systems(found)[name]
        axes.hlines(place, min(line, error), max(line, error), color=colour, linewidth=2)
        axes.plot([error], [place], color=colour, marker=mark, markersize=7)
        axes.annotate(
            f"{error:.2f}",
            (error, place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.3)
    room = 0.15 + 0.1 * (max([*errors, line]) - min([*errors, line]))
    axes.set_xlim(min([*errors, line]) - room, max([*errors, line]) + room)
    axes.set_xlabel(f"mean absolute error, points; dashed: the line itself, {line:.2f}")
    axes.tick_params(axis="y", length=0)
    return drawing.png(figure)


def error_by_date(errors: pl.DataFrame) -> bytes:
    """Draw the mean absolute error of each system and of the base line, date by date.

    Over many dates the mean of the last seven is drawn, in which a night weighs like another.

    Args:
        errors: as `error_by_date` gives them.
    """
    figure, (axes,) = drawing.figure(6.4, 3.2)
    dates = errors["game_date"].unique().sort().to_list()
    many = len(dates) >= _MANY_DATES
    means = f", mean of {_WEEK} dates" if many else ""
    axes.set_title(f"Error by system, players with a line{means}")
    axes.set_ylabel("mean absolute error, points")
    if errors.is_empty():
        drawing.nothing(axes, "no graded date with lines")
        return drawing.png(figure)
    # Dates without games take no room: the dates are numbered.
    number = {day: place for place, day in enumerate(dates)}
    for system, (colour, mark) in _systems(errors).items():
        of_system = errors.filter(pl.col("system_id") == system)
        axes.plot(
            [number[day] for day in of_system["game_date"]],
            _smooth(of_system["mean_absolute_error"], many),
            color=colour,
            marker="" if many else mark,
            markersize=4,
            linewidth=1.2,
            label=system,
        )
    line = errors.group_by("game_date").agg(pl.col("error_of_line").mean()).sort("game_date")
    axes.plot(
        [number[day] for day in line["game_date"]],
        _smooth(line["error_of_line"], many),
        color=drawing.GREY,
        linestyle="--",
        marker="" if many else ".",
        linewidth=1.5,
        label="the line",
    )
    shown = np.unique(np.linspace(0, len(dates) - 1, min(len(dates), 6)).round().astype(int))
    axes.set_xticks(shown, [f"{dates[place]:%b %d}" for place in shown])
    if len(dates) == 1:
        axes.set_xlim(-1, 1)
    low, high = axes.get_ylim()
    # Room for the legend, and no mountains made of a hundredth of a point.
    axes.set_ylim(max(0.0, low - 0.1 - 0.35 * max(high - low, 0.4)), high + 0.1)
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="lower left")
    return drawing.png(figure)


def _smooth(errors: pl.Series, many: bool) -> pl.Series:
    return errors.rolling_mean(_WEEK, min_samples=1) if many else errors


def _mean_of_line(graded: pl.DataFrame) -> float:
    weighted = (graded["error_of_line"] * graded["with_line"]).sum()
    return float(weighted) / float(graded["with_line"].sum())


def _systems(frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Return colour and mark of each system of a frame."""
    return drawing.styles(frame["system_id"].unique().to_list())


def _ridges(
    axes: Axes,
    frame: pl.DataFrame,
    column: str,
    title: str,
    unit: str,
    bounds: tuple[float, float] | None = None,
) -> None:
    """Draw one histogram per system, one above the other, with its median."""
    axes.set_title(title)
    axes.set_xlabel(unit)
    if frame.is_empty():
        drawing.nothing(axes, "no row")
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
    for place, (system, (colour, _)) in enumerate(reversed(systems.items())):
        top = place + 0.85 * heights[system] / tallest
        axes.stairs(top, edges, baseline=place, fill=True, color=colour, alpha=0.65)
        middle = float(np.median(of_system[system]))
        axes.plot([middle, middle], [place, place + 0.85], color=drawing.GREY, linewidth=1)
        digits = 2 if bounds else 1
        axes.text(middle, place + 0.72, f" {middle:.{digits}f}", fontsize=8, color=drawing.GREY)
    axes.set_yticks([place + 0.3 for place in range(len(systems))], list(reversed(systems)))
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(low, high)
    axes.set_ylim(0, len(systems))
