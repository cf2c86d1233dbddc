"""How good the systems are on games they were not trained on, against averages and the books.

    python -m bench.accuracy FOLDER [--train-before 2024-10-01] [--until 2025-06-01]
                                      [--retrain-days 7] [--lines]

FOLDER holds `player_game_logs*` (and for `--lines` `points_lines*`) files as docs/input-files.md
describes. Models are trained on what lies before `--train-before` and judged on what follows, or,
with `--retrain-days`, trained anew every so many days on all that was known by then.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nba_predictions.features.build import FEATURES, build_features, training_features
from nba_predictions.models.past_lines import MOST_DAYS, past_lines
from nba_predictions.sources.files import FilesSource
from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import over_probability
from nba_predictions.systems.market import BaseLines, with_line
from nba_predictions.systems.market_fit import LinedRows, fit_update
from nba_predictions.systems.registry import SYSTEMS, predict_all
from nba_predictions.systems.scoring import (
    calibration_error,
    decided_over,
    line_metrics,
    log_loss,
    metrics,
)
from nba_predictions.systems.training import train

BASELINES = ("points_last_10", "points_season", "points_ewm")
SLATE = ("game_date", "game_id", "player_lookup", "team", "opponent", "is_home")


def main() -> None:
    arguments = _arguments()
    source = FilesSource(arguments.folder)
    start = time.perf_counter()
    history = source.game_logs(arguments.until)
    print(f"{history.height} rows read in {time.perf_counter() - start:.2f} s")
    start = time.perf_counter()
    features = training_features(history, similar_since=arguments.train_before)
    print(f"{len(FEATURES)} features of all rows in {time.perf_counter() - start:.2f} s")
    judged = features.filter(pl.col("game_date") >= arguments.train_before)
    if judged.is_empty():
        raise SystemExit(f"no games from {arguments.train_before} to {arguments.until}")
    parts: list[dict[str, Forecast]] = []
    lines = _lines(source, history, judged) if arguments.lines else None
    for cutoff, end in _spans(judged, arguments.train_before, arguments.retrain_days):
        start = time.perf_counter()
        models = train(history, cutoff, lines)
        seconds = time.perf_counter() - start
        print(
            f"trained before {cutoff} on {models.card['rows']} rows in {seconds:.2f} s, "
            f"weights {dict(models.weights)}"
        )
        span = judged.filter((pl.col("game_date") >= cutoff) & (pl.col("game_date") < end))
        parts.append(predict_all(span, models))
    forecasts = {s.system_id: _concatenate([p[s.system_id] for p in parts]) for s in SYSTEMS}

    regular = (pl.col("minutes_last_10") >= 15).fill_null(False)
    _report(judged, forecasts, regular & (pl.col("games_season") >= 10), "10+ games this season")
    _report(judged, forecasts, regular & (pl.col("games") >= 10), "10+ games in the history")
    _report(judged, forecasts, pl.col("games") >= 0, "everybody")
    if lines is not None:
        _report_lines(judged, forecasts, lines)
    _report_speed(history, judged, arguments.train_before)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train-before", type=date.fromisoformat, default=date(2024, 10, 1))
    parser.add_argument("--until", type=date.fromisoformat, default=date(2025, 6, 1))
    parser.add_argument("--retrain-days", type=int, default=0, help="0: train once")
    parser.add_argument("--lines", action="store_true", help="judge against the books' lines too")
    return parser.parse_args()


def _spans(judged: pl.DataFrame, first: date, days: int) -> Iterator[tuple[date, date]]:
    """Cutoffs and the ends of the dates that each is used for, without spans without games."""
    last: date = judged["game_date"][-1]
    if days <= 0:
        yield first, last + timedelta(days=1)
        return
    while first <= last:
        end = first + timedelta(days=days)
        if ((judged["game_date"] >= first) & (judged["game_date"] < end)).any():
            yield first, end
        first = end


def _concatenate(parts: list[Forecast]) -> Forecast:
    return Forecast(
        np.concatenate([p.mean for p in parts]),
        np.concatenate([p.spread for p in parts]),
        np.concatenate([p.confidence for p in parts]),
    )


def _lines(source: FilesSource, history: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """All base lines of the judged dates."""
    parts, end = [], judged["game_date"][-1] + timedelta(days=1)
    while end > judged["game_date"][0]:
        parts.append(past_lines(source, history, end))
        end -= MOST_DAYS
    return pl.concat(parts).unique(["game_date", "player_lookup"])


def _report(
    judged: pl.DataFrame, forecasts: Mapping[str, Forecast], who: pl.Expr, title: str
) -> None:
    mask = judged.select(who).to_series().to_numpy()
    rows = judged.filter(pl.Series(mask))
    points = rows["points"].to_numpy().astype(np.float64)
    print(f"\n{title}: {len(points)} rows")
    print(f"{'':16}{'abs error':>10}{'bias':>8}{'in 50%':>8}{'in 80%':>8}{'log loss':>10}")
    for name in BASELINES:
        values = rows[name].to_numpy()
        known = ~np.isnan(values)
        error = np.abs(points - values)[known].mean()
        note = "" if known.all() else f"   ({known.sum()} rows)"
        print(f"{name:16}{error:10.4f}{(values - points)[known].mean():8.3f}{note}")
    # One line for all systems, near the median and never a push.
    usual = np.nan_to_num(rows["points_ewm"].to_numpy(), nan=4.0)
    line = np.floor(0.96 * usual) + 0.5
    for name, forecast in forecasts.items():
        part = forecast[mask]
        score = metrics(part, points)
        over = over_probability(part.mean, part.spread, line)
        print(
            f"{name:16}{score['mean_absolute_error']:10.4f}{score['bias']:8.3f}"
            f"{score['coverage_50']:8.3f}{score['coverage_80']:8.3f}"
            f"{log_loss(over, points > line):10.4f}"
        )


def _report_lines(
    judged: pl.DataFrame, forecasts: Mapping[str, Forecast], lines: pl.DataFrame
) -> None:
    """Against the base lines; what a line is worth is learned anew each Monday from those before.

    The nightly models learn it in the same way from predictions for games held out of training.
    """
    found = judged.join(
        lines, on=["game_date", "player_lookup"], how="left", maintain_order="left"
    ).with_row_index("row")
    quoted = found.filter(pl.col("base_line").is_not_null())
    if quoted.is_empty():
        print("\nno lines for these dates")
        return
    rows = quoted["row"].to_numpy()
    points = quoted["points"].to_numpy().astype(np.float64)
    at = BaseLines(quoted["base_line"].to_numpy(), quoted["fair_over"].fill_null(np.nan).to_numpy())
    weeks = quoted["game_date"].dt.truncate("1w").to_numpy()
    print(f"\nrows with a line: {len(points)}, of them {(points > at.base).mean():.3f} over")
    print(
        f"{'':16}{'abs error':>10}{'with line':>10}{'log loss':>10}{'ECE':>8}"
        f"{'hits':>8}{'all lines':>11}{'ECE':>8}{'share':>7}"
    )
    print(f"{'the line':16}{np.abs(points - at.base).mean():10.4f}{'':10}{np.log(2):10.4f}")
    for system in SYSTEMS:
        if system.rests_on_line:
            continue
        own = forecasts[system.system_id][rows]
        mean, spread, update = own.mean.copy(), own.spread.copy(), system.default_update
        for week in np.unique(weeks):
            past, now = weeks < week, weeks == week
            learned_from = LinedRows(own.mean[past], own.spread[past], at[past], points[past])
            update = fit_update(learned_from, system.default_update)
            mean[now], spread[now] = with_line(own.mean[now], own.spread[now], at[now], update)
        informed = Forecast(own.mean, own.spread, own.confidence, mean, spread)
        score = line_metrics(informed, at, points)
        over, happened = _tested(informed, at, points)
        print(
            f"{system.system_id:16}{score['absolute_error_with_line']:10.4f}"
            f"{np.abs(points - mean).mean():10.4f}{score['log_loss']:10.4f}"
            f"{score['calibration_error']:8.4f}{score['hit_rate']:8.3f}"
            f"{log_loss(over, happened):11.4f}{calibration_error(over, happened):8.4f}"
            f"{update.own_share:7.3f}"
        )


def _tested(
    forecast: Forecast, at: BaseLines, points: Floats
) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Chances of the over at all five tested lines, and what happened, without pushes."""
    over, happened = [], []
    for offset in (-2.0, -1.0, 0.0, 1.0, 2.0):
        line = at.base + offset
        decided = points != line
        over.append(decided_over(forecast, line)[decided])
        happened.append((points > line)[decided])
    return np.concatenate(over), np.concatenate(happened)


def _report_speed(history: pl.DataFrame, judged: pl.DataFrame, cutoff: date) -> None:
    """One slate and one player, warm."""
    by_date = judged.group_by("game_date").len().sort("len", "game_date")
    busiest: date = by_date["game_date"][-1]
    slate = history.filter(pl.col("game_date") == busiest).select(SLATE)
    models = train(history.filter(pl.col("game_date") < cutoff).tail(6000), cutoff)
    start = time.perf_counter()
    features = build_features(history, slate)
    print(f"\nfeatures of {slate.height} players: {1000 * (time.perf_counter() - start):.0f} ms")
    for frame in (features, features[:1]):
        predict_all(frame, models)
        start = time.perf_counter()
        for _ in range(100):
            predict_all(frame, models)
        print(f"all systems, {frame.height} rows: {10 * (time.perf_counter() - start):.2f} ms")


if __name__ == "__main__":
    main()
