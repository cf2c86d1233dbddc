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
from nba_predictions.sources.files import FilesSource
from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import over_probability, push_probability
from nba_predictions.systems.registry import SYSTEMS, predict_all
from nba_predictions.systems.training import metrics, train

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
    for cutoff, end in _spans(judged, arguments.train_before, arguments.retrain_days):
        start = time.perf_counter()
        models = train(history, cutoff)
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
    if arguments.lines:
        _report_lines(source, judged, forecasts)
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


def _rows(forecast: Forecast, mask: np.ndarray) -> Forecast:
    return Forecast(forecast.mean[mask], forecast.spread[mask], forecast.confidence[mask])


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
        part = _rows(forecast, mask)
        score = metrics(part, points)
        over = over_probability(part.mean, part.spread, line)
        print(
            f"{name:16}{score['mean_absolute_error']:10.4f}{score['bias']:8.3f}"
            f"{score['coverage_50']:8.3f}{score['coverage_80']:8.3f}"
            f"{_log_loss(over, points > line):10.4f}"
        )


def _report_lines(
    source: FilesSource, judged: pl.DataFrame, forecasts: Mapping[str, Forecast]
) -> None:
    """Against the median line over books (each book's median of its quotes)."""
    dates = judged["game_date"].unique().sort().to_list()
    quotes = pl.concat([source.prop_lines(day) for day in dates])
    if quotes.is_empty():
        print("\nno lines for these dates")
        return
    keys = ["game_date", "player_lookup"]
    lines = (
        quotes.group_by(*keys, "book")
        .agg(pl.col("line").cast(pl.Float64).median())
        .group_by(keys)
        .agg(pl.col("line").median())
    )
    found = judged.join(lines, on=keys, how="left", maintain_order="left")["line"]
    mask = found.is_not_null().to_numpy()
    line = found.drop_nulls().to_numpy()
    points = judged["points"].to_numpy().astype(np.float64)[mask]
    no_push = points != line
    print(f"\nrows with a line: {len(points)}, of them {(points > line).mean():.3f} over")
    head = (
        f"{'':16}{'abs error':>10}{'log loss':>10}{'brier':>8}{'hits':>8}{'hits at 2+':>12}{'n':>7}"
    )
    print(head)
    print(f"{'the line':16}{np.abs(points - line).mean():10.4f}{np.log(2):10.4f}{0.25:8.4f}")
    for name, forecast in forecasts.items():
        part = _rows(forecast, mask)
        over = over_probability(part.mean, part.spread, line)
        over = (over / (1 - push_probability(part.mean, part.spread, line)))[no_push]
        went_over = (points > line)[no_push]
        right = (over > 0.5) == went_over
        far = (np.abs(part.mean - line) >= 2)[no_push]
        print(
            f"{name:16}{np.abs(points - part.mean).mean():10.4f}{_log_loss(over, went_over):10.4f}"
            f"{((over - went_over) ** 2).mean():8.4f}{right.mean():8.3f}"
            f"{right[far].mean() if far.any() else float('nan'):12.3f}{far.sum():7d}"
        )


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


def _log_loss(over: Floats, went_over: np.ndarray) -> float:
    chance = np.clip(np.where(went_over, over, 1 - over), 1e-12, 1.0)
    return float(-np.log(chance).mean())


if __name__ == "__main__":
    main()
