"""Walk forward: each past date is predicted as its night would have, by what was known before it.

Nothing here computes in a way of its own. Slates and base lines are the night's (`slate_of`), the
features are the night's (`training_features` and `build_features` are one code path), the models
come from the night's store, and `predict_all` predicts. Only the company differs: a night asks for
one date and one player, a backtest for all rows of a span at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.backtest.options import RETRAIN, Progress, silent
from nba_predictions.domain.betting.lines import tested_lines
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.errors import BacktestError
from nba_predictions.domain.league.games import season_of
from nba_predictions.domain.market import POINTS
from nba_predictions.features.build import KEYS, build_features, training_features
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.nightly.slate import SLATE_FRAME, slate_of
from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.cutoff import training_cutoff
from nba_predictions.training.model_selection import SelectedModels, models_before
from nba_predictions.training.model_store import ModelStore

#: What the slate says of a row beside KEYS and features; null where the night would not have
#: predicted the player.
SLATE_COLUMNS: Final = ("base_line", "line_source", "books", "fair_over")


@dataclass(frozen=True)
class Span:
    """Dates that are predicted by the same models, which know what lies before `cutoff`."""

    cutoff: date
    first: date
    last: date


@dataclass(frozen=True)
class SpanOfModels:
    """A span, the models that served it, and whether they had to be trained for it."""

    span: Span
    name: str
    trained_on: int
    trained_now: bool


@dataclass(frozen=True)
class Walk:
    """Everything that was predicted, and what came of it.

    Attributes:
        rows: one row per player and date, of all who played: KEYS, features, `points`,
            SLATE_COLUMNS and `on_slate` (the night would have predicted him); sorted by KEYS.
        forecasts: per system, aligned with `rows`.
        spans: the models that made them.
        did_not_play: players of the slates who then did not play; their bets are void.
        source: where the games came from.
    """

    rows: pl.DataFrame
    forecasts: Mapping[str, Forecast]
    spans: tuple[SpanOfModels, ...]
    did_not_play: int
    source: str

    def over_and_push(self, system_id: str, lines: Floats, at: np.ndarray) -> tuple[Floats, Floats]:
        """A system's P(points > line) and P(points = line) at rows `at`, one line each."""
        forecast = self.forecasts[system_id]
        return chances(forecast.line_mean[at], forecast.line_spread[at], lines)

    def own_over_and_push(
        self, system_id: str, lines: Floats, at: np.ndarray
    ) -> tuple[Floats, Floats]:
        """The same from what the system expects by itself, as if nobody had quoted a line."""
        forecast = self.forecasts[system_id]
        return chances(forecast.mean[at], forecast.spread[at], lines)


def walk(
    league: LeagueSource,
    store: ModelStore,
    first: date,
    last: date,
    *,
    retrain: str = "monthly",
    progress: Progress = silent,
) -> Walk:
    """Predict all who played from `first` to `last`, both included.

    Args:
        league: where box scores, schedule, lines and injuries come from.
        store: where trained models are found again, and left.
        retrain: one of RETRAIN.

    Raises:
        BacktestError: no game was played in these dates, or `retrain` is unknown.
    """
    if retrain not in RETRAIN:
        raise BacktestError(f"retrain={retrain} is unknown; choose {', '.join(RETRAIN)}")
    known = league.game_logs(last + timedelta(days=1))
    played = dates_played(known, first)
    if not played:
        before = (
            f"those before it end on {known['game_date'][-1]}" if known.height else "none is known"
        )
        raise BacktestError(f"no game was played from {first} to {last}; {before}")
    rows, did_not_play = rows_of(league, played, progress)

    spans = list(spans_of(played, first, retrain, league.game_logs))
    predicted: list[dict[str, Forecast]] = []
    used = []
    for number, span in enumerate(spans):
        progress(f"models before {span.cutoff}", number, len(spans))
        models = models_before(span.cutoff, league.game_logs(span.cutoff), store, league)
        used.append(_used(span, models))
        part = rows.filter(pl.col("game_date").is_between(span.first, span.last))
        predicted.append(forecasts_of(part, models.models))
    progress("models", len(spans), len(spans))
    forecasts = {
        s.system_id: _joined([p[s.system_id] for p in predicted]) for s in registered_systems()
    }
    return Walk(rows, forecasts, tuple(used), did_not_play, league.name)


def dates_played(history: pl.DataFrame, first: date) -> list[date]:
    """The dates of games from `first` on, in order."""
    return history.filter(pl.col("game_date") >= first)["game_date"].unique().sort().to_list()


def rows_of(
    league: LeagueSource, played: Sequence[date], progress: Progress = silent
) -> tuple[pl.DataFrame, int]:
    """The rows of a `Walk` over these dates, and how many players of their slates did not play."""
    parts, did_not_play, done = [], 0, 0
    # A source may give more or less of the past from one season to the next, as it does at night.
    for _, of_season in groupby(played, key=season_of):
        dates = list(of_season)
        slates = []
        for day in dates:
            slates.append(slate_of(league, day))
            done += 1
            progress("slates and lines", done, len(played))
        rows, missing = described(league.game_logs(dates[-1] + timedelta(days=1)), slates)
        parts.append(rows)
        did_not_play += missing
    return pl.concat(parts), did_not_play


def forecasts_of(rows: pl.DataFrame, models: TrainedModels) -> dict[str, Forecast]:
    """Every system's forecast of some rows, each with the base line that the night would have."""
    lines = BaseLines(
        rows["base_line"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        rows["fair_over"].fill_null(np.nan).to_numpy(),
    )
    return predict_all(rows, models, {POINTS.name: lines})


def chances(mean: Floats, spread: Floats, lines: Floats) -> tuple[Floats, Floats]:
    """P(points > line) and P(points = line), one line per forecast."""
    return over_probability(mean, spread, lines), push_probability(mean, spread, lines)


def lines_around(rows: pl.DataFrame) -> Floats:
    """The tested lines of rows that have a base line, [rows, 5]."""
    tested = [tested_lines(base) for base in rows["base_line"]]
    return np.array([[float(line or 0) for line in own] for own in tested]).reshape(-1, 5)


def spans_of(
    played: Sequence[date], first: date, retrain: str, known: Callable[[date], pl.DataFrame]
) -> Iterator[Span]:
    """Group dates, in order, by the cutoff of their models.

    `never`: before the first date that was asked for. `monthly`: the first of the date's month.
    `weekly`: as the nights do, see `training_cutoff`; `known` gives the games before a date. No
    cutoff is later than its date.
    """

    def cutoff(day: date) -> date:
        if retrain == "weekly":
            return training_cutoff(day, known(day))
        return day.replace(day=1) if retrain == "monthly" else first

    for at, own in groupby(played, key=cutoff):
        dates = list(own)
        yield Span(at, dates[0], dates[-1])


def described(history: pl.DataFrame, slates: Sequence[Slate]) -> tuple[pl.DataFrame, int]:
    """All who played on the dates of the slates as they were known before, and what came of it.

    Args:
        history: GAME_LOGS rows up to and including the dates of the slates.
        slates: one per date, in order.

    Returns:
        the rows of a `Walk`, and how many players of the slates did not play.
    """
    dates = [slate.game_date for slate in slates]
    features = training_features(history, similar_since=dates[0])
    features = features.filter(pl.col("game_date").is_in(dates))
    schema = {
        **SLATE_FRAME,
        "base_line": pl.Decimal(5, 1),
        "line_source": pl.String,
        "books": pl.Int64,
        "fair_over": pl.Float64,
    }
    asked = pl.DataFrame(
        {c: [getattr(p, c) for s in slates for p in s.players] for c in schema}, schema=schema
    )
    who = ["game_date", "player_lookup"]
    played = history.select(who).unique()
    did_not_play = asked.join(played, on=who, how="anti").height
    rows = features.join(asked.select(*who, *SLATE_COLUMNS), on=who, how="left")

    # Before tip-off the team of a player who has moved is not known as the box score has it. Who
    # is reported out changes the line-ups of others. There the features are those of the slate.
    context = ["game_id", "team", "opponent", "is_home"]
    as_played = asked.join(
        history.select(*who, *context), on=[*who, *context], how="semi", nulls_equal=True
    )
    absent = {slate.game_date: slate.absent for slate in slates if slate.absent}
    as_played = as_played.filter(~pl.col("game_date").is_in(list(absent)))
    moved = asked.join(as_played, on=who, how="anti").join(played, on=who, how="semi")
    if moved.height:
        own = pl.concat(
            [
                build_features(
                    history, slate.select(*SLATE_FRAME), absent.get(slate["game_date"][0], ())
                )
                for slate in moved.partition_by("game_date", maintain_order=True)
            ]
        )
        outcome = moved.select(*who, *SLATE_COLUMNS).join(
            history.select(*who, "points").unique(who), on=who
        )
        own = own.join(outcome, on=who, how="left").select(rows.columns)
        rows = pl.concat([rows.join(own, on=who, how="anti"), own])
    on_slate = pl.col("line_source").is_not_null().alias("on_slate")
    return rows.with_columns(on_slate).sort(KEYS), did_not_play


def _used(span: Span, models: SelectedModels) -> SpanOfModels:
    return SpanOfModels(
        span, models.name, int(models.models.card.get("rows", 0)), models.trained_now
    )


def _joined(parts: Sequence[Forecast]) -> Forecast:
    return Forecast(
        np.concatenate([p.mean for p in parts]),
        np.concatenate([p.spread for p in parts]),
        np.concatenate([p.confidence for p in parts]),
        np.concatenate([p.line_mean for p in parts]),
        np.concatenate([p.line_spread for p in parts]),
    )
