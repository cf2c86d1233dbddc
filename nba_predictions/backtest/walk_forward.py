"""Predict past dates in order, each from the facts known before it.

The code is that of the nights: slates and base lines come from `slate_of`, features from the code
of `build_features`, models from the same store, and forecasts from `predict_all`. The only
difference is that a night predicts one player at a time, and a backtest all rows of many dates.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import groupby
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.errors import BacktestError
from nba_predictions.domain.league.games import season_of
from nba_predictions.domain.market import Market, registered_markets
from nba_predictions.features.build import KEYS, build_features, statistics, training_features
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.nightly.slate import slate_frame, slate_of
from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.cutoff import training_cutoff
from nba_predictions.training.model_selection import models_before
from nba_predictions.training.model_store import ModelStore

#: How often models are trained again. The nights train weekly.
RETRAIN: Final = ("monthly", "weekly", "never")
#: Called with a description of the current step, the number of done items, and their total.
Progress = Callable[[str, int, int], None]
#: The columns that identify a player on a date.
_PLAYER = ("game_date", "player_lookup")


def silent(description: str, done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Span:
    """Dates that are predicted by the same models, trained on the games before `cutoff`."""

    cutoff: date
    first: date
    last: date


@dataclass(frozen=True)
class SpanOfModels:
    """A span, the models that predicted it, and whether they were trained for it."""

    span: Span
    name: str
    trained_on: int
    trained_now: bool


@dataclass(frozen=True)
class Walk:
    """Everything that was predicted, with the outcomes.

    `rows` has one row per date and player who played: KEYS, features, outcomes, `on_slate` (the
    night would have predicted the player) and `line_columns` per market. It is sorted by KEYS, and
    the forecasts of each system are aligned with it. `did_not_play` counts players of the slates
    who did not play. Their bets are void.
    """

    rows: pl.DataFrame
    forecasts: Mapping[str, Forecast]
    spans: tuple[SpanOfModels, ...]
    did_not_play: int
    source: str

    def over_and_push(self, system_id: str, lines: Floats, at: np.ndarray) -> tuple[Floats, Floats]:
        """Return a system's P(result > line) and P(result = line) at rows `at`, a line for each."""
        forecast = self.forecasts[system_id]
        return chances(forecast.line_mean[at], forecast.line_spread[at], lines)

    def own_over_and_push(
        self, system_id: str, lines: Floats, at: np.ndarray
    ) -> tuple[Floats, Floats]:
        """Return the same probabilities without the update by the betting line."""
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
    """Predict all players who played from `first` to `last`, both included.

    Models missing from the store are trained and saved there. `retrain` is one of RETRAIN.

    Raises:
        BacktestError: no game was played on these dates, or `retrain` is unknown.
    """
    if retrain not in RETRAIN:
        raise BacktestError(f"retrain={retrain} is unknown; choose {', '.join(RETRAIN)}")
    known = league.game_logs(last + timedelta(days=1))
    played = dates_played(known, first)
    if not played:
        before = f"ends on {known['game_date'][-1]}" if known.height else "has no games"
        raise BacktestError(
            f"no game was played from {first} to {last}; the history before that {before}"
        )
    rows, did_not_play = rows_of(league, played, progress)

    spans = list(spans_of(played, first, retrain, league.game_logs))
    predicted: list[dict[str, Forecast]] = []
    used = []
    for number, span in enumerate(spans):
        progress(f"models before {span.cutoff}", number, len(spans))
        models = models_before(span.cutoff, league.game_logs(span.cutoff), store, league)
        trained_on = int(models.models.card.get("rows", 0))
        used.append(SpanOfModels(span, models.name, trained_on, models.trained_now))
        part = rows.filter(pl.col("game_date").is_between(span.first, span.last))
        predicted.append(forecasts_of(part, models.models))
    progress("models", len(spans), len(spans))
    forecasts = {
        s.system_id: _joined([p[s.system_id] for p in predicted]) for s in registered_systems()
    }
    return Walk(rows, forecasts, tuple(used), did_not_play, league.name)


def dates_played(history: pl.DataFrame, first: date) -> list[date]:
    """Return the dates of games from `first` on, in order."""
    return history.filter(pl.col("game_date") >= first)["game_date"].unique().sort().to_list()


def rows_of(
    league: LeagueSource, played: Sequence[date], progress: Progress = silent
) -> tuple[pl.DataFrame, int]:
    """Return the rows of a `Walk` over these dates, and the number of players who did not play."""
    parts, did_not_play, done = [], 0, 0
    # Per season, because the games that a source knows may differ from season to season.
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
    """Return every system's forecast of some rows, with the base lines that the night had."""
    lines = {}
    for market in registered_markets():
        base, fair_over = line_columns(market)
        lines[market.name] = BaseLines(
            rows[base].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            rows[fair_over].fill_null(np.nan).to_numpy(),
        )
    return predict_all(rows, models, lines)


def chances(mean: Floats, spread: Floats, lines: Floats) -> tuple[Floats, Floats]:
    """Return P(result > line) and P(result = line), one line per forecast."""
    return over_probability(mean, spread, lines), push_probability(mean, spread, lines)


def line_columns(market: Market) -> tuple[str, str]:
    """Return the columns of `Walk.rows` with base line and no-vig probability, null without one."""
    return f"{market.name}_base_line", f"{market.name}_fair_over"


def lines_around(base: Floats, market: Market) -> Floats:
    """Return the tested lines of base lines, [rows, offsets of the market]."""
    return base[:, None] + np.array([float(offset) for offset in market.offsets])


def spans_of(
    played: Sequence[date], first: date, retrain: str, known: Callable[[date], pl.DataFrame]
) -> Iterator[Span]:
    """Group dates, in order, by the cutoff of their models. No cutoff is later than its date.

    Args:
        played: the dates.
        first: the first date of the backtest, the cutoff for `never`.
        retrain: `monthly` has the first day of the month as the cutoff, and `weekly` the cutoff of
            the nights (`training_cutoff`).
        known: returns the games before a date.
    """

    def cutoff(day: date) -> date:
        if retrain == "weekly":
            return training_cutoff(day, known(day))
        return day.replace(day=1) if retrain == "monthly" else first

    for at, own in groupby(played, key=cutoff):
        dates = list(own)
        yield Span(at, dates[0], dates[-1])


def described(history: pl.DataFrame, slates: Sequence[Slate]) -> tuple[pl.DataFrame, int]:
    """Describe all players who played on the dates of the slates, with their outcomes.

    Args:
        history: GAME_LOGS rows up to and including the dates of the slates.
        slates: one per date, in order.

    Returns:
        the rows of a `Walk`, and the number of players of the slates who did not play.
    """
    dates = [slate.game_date for slate in slates]
    features = training_features(history, similar_since=dates[0])
    features = features.filter(pl.col("game_date").is_in(dates))
    expected, lines = _expected(slates)
    played = history.select(_PLAYER).unique()
    did_not_play = expected.join(played, on=_PLAYER, how="anti").height
    rows = features.join(lines, on=_PLAYER, how="left")

    changed = _described_differently(expected, history, slates)
    if changed.height:
        as_expected = pl.concat(
            build_features(history, of_date, _absent(slates).get(of_date["game_date"][0], ()))
            for of_date in changed.partition_by("game_date", maintain_order=True)
        )
        outcomes = features.select(*_PLAYER, *statistics()).unique(_PLAYER)
        as_expected = as_expected.join(outcomes, on=_PLAYER, how="inner")
        as_expected = as_expected.join(lines, on=_PLAYER, how="left").select(rows.columns)
        rows = pl.concat([rows.join(as_expected, on=_PLAYER, how="anti"), as_expected])
    return rows.with_columns(pl.col("on_slate").fill_null(False)).sort(KEYS), did_not_play


def _expected(slates: Sequence[Slate]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the players of the slates as feature rows are requested for them, and their lines."""
    players = [player for slate in slates for player in slate.players]
    expected = pl.concat(slate_frame(slate) for slate in slates)
    lines = expected.select(*_PLAYER, on_slate=pl.lit(True))
    for market in registered_markets():
        of_market = [player.market(market.name) for player in players]
        base, fair_over = line_columns(market)
        lines = lines.with_columns(
            pl.Series(base, [m.base_line for m in of_market], pl.Decimal(5, 1)),
            pl.Series(fair_over, [m.fair_over for m in of_market], pl.Float64),
        )
    return expected, lines


def _absent(slates: Sequence[Slate]) -> dict[date, frozenset[str]]:
    return {slate.game_date: slate.absent for slate in slates if slate.absent}


def _described_differently(
    expected: pl.DataFrame, history: pl.DataFrame, slates: Sequence[Slate]
) -> pl.DataFrame:
    """Return the players of the slates whose features differ from those of the box scores.

    Before tip-off, the team of a player who was traded is not known as the box score has it.
    Absences that were reported change the line-up features of the others.
    """
    context = ["game_id", "team", "opponent", "is_home"]
    as_played = history.select(*_PLAYER, *context)
    same = expected.join(as_played, on=[*_PLAYER, *context], how="semi", nulls_equal=True)
    same = same.filter(~pl.col("game_date").is_in(list(_absent(slates))))
    played = history.select(_PLAYER).unique()
    return expected.join(same, on=_PLAYER, how="anti").join(played, on=_PLAYER, how="semi")


def _joined(parts: Sequence[Forecast]) -> Forecast:
    names = [field.name for field in fields(Forecast)]
    return Forecast(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
