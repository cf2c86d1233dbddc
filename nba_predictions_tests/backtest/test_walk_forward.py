"""A backtest computes the same values as the nights, from facts known before each date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nba_predictions.backtest.walk_forward import (
    described,
    line_columns,
    lines_around,
    spans_of,
    walk,
)
from nba_predictions.domain.errors import BacktestError
from nba_predictions.domain.market import POINTS
from nba_predictions.features.build import FEATURES, build_features
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.port import SCHEDULE, LeagueSource, Provenance
from nba_predictions.nightly.predicting import player_predictor
from nba_predictions.nightly.slate import load_slate, slate_frame, slate_of
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.model_selection import models_of_date
from nba_predictions.training.model_store import ModelStore
from nba_predictions_tests.backtest.conftest import LAST, LEAGUE, NIGHT, Walked
from nba_predictions_tests.systems.league import play_league
from nba_predictions_tests.systems.registered import POINTS_IDS, SYSTEM_IDS

BASE_LINE, _ = line_columns(POINTS)


def night_rows(league: LeagueSource, day: date, models: TrainedModels) -> list[dict[str, Any]]:
    """Return the rows that the night of `day` stages, from the functions that its assets call."""
    slate = slate_of(league, day)
    features = build_features(league.game_logs(day), slate_frame(slate), slate.absent)
    predict = player_predictor("batch", features, models, slate.features_as_of)
    return [row for player in slate.players for row in predict(player)]


def backtest_rows(walked: Walked, day: date) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the values of the backtest by player and system, a dict per tested line."""
    frame = walked.walk.rows
    at = np.flatnonzero(((frame["game_date"] == day) & frame["on_slate"]).to_numpy())
    quoted = at[frame[at][BASE_LINE].is_not_null().to_numpy()]
    tested = lines_around(frame[quoted][BASE_LINE].cast(pl.Float64).to_numpy(), POINTS)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for system in POINTS_IDS:
        for number in at.tolist():
            row = {"predicted_points": walked.walk.forecasts[system].mean[number]}
            found[frame["player_lookup"][number], system] = [row]
        for line in range(tested.shape[1]):
            over, push = walked.walk.over_and_push(system, tested[:, line], quoted)
            for number, n in enumerate(quoted.tolist()):
                own = found[frame["player_lookup"][n], system]
                chances = {
                    "points_line": Decimal(str(tested[number, line])),
                    "over_probability": over[number],
                    "push_probability": push[number],
                }
                if line == 0:
                    own[0].update(chances)
                else:
                    own.append({**own[0], **chances})
    return found


def agree(night: list[dict[str, Any]], walked: Walked, day: date) -> int:
    """Compare all values; return the number of compared rows."""
    backtest = backtest_rows(walked, day)
    played = {player for player, _ in backtest}
    staged = [
        row for row in night if row["player_lookup"] in played and row["system_id"] in POINTS_IDS
    ]
    assert {(r["player_lookup"], r["system_id"]) for r in staged} == set(backtest)
    numbers = ("over_probability", "push_probability", "points_line")
    for row in staged:
        ours = backtest[row["player_lookup"], row["system_id"]]
        (same,) = [r for r in ours if r.get("points_line") == row["points_line"]]
        assert row["predicted_points"] == Decimal(repr(float(same["predicted_points"]))).quantize(
            Decimal("0.01")
        )
        assert [row[n] for n in numbers] == [same.get(n) for n in numbers]
    return len(staged)


def test_the_night_and_the_backtest_have_the_same_values(walked: Walked) -> None:
    found = models_of_date(NIGHT, LEAGUE.game_logs(NIGHT), walked.store, LEAGUE)
    assert not found.trained_now, "the backtest saved the models of the night in the store"
    assert found.models.booster is not None
    night = night_rows(LEAGUE, NIGHT, found.models)
    compared = agree(night, walked, NIGHT)
    assert compared > 500
    assert {row["system_id"] for row in night} == set(SYSTEM_IDS)


@dataclass(frozen=True)
class NoTraining(ModelStore):
    """A store that returns the same models for every cutoff, so that none are trained."""

    models: TrainedModels | None = None

    def load(self, name: str) -> TrainedModels | None:
        return self.models


@pytest.mark.real_data
def test_the_night_and_the_backtest_have_the_same_values_on_a_real_date(
    real_data_dir: Path, tmp_path: Path, walked: Walked
) -> None:
    day = date(2025, 1, 10)
    league = FilesSource(real_data_dir)
    simulated = models_of_date(NIGHT, LEAGUE.game_logs(NIGHT), walked.store, LEAGUE).models
    store = NoTraining(tmp_path, simulated)
    real = Walked(walk(league, store, day, day, retrain="weekly"), store)
    assert agree(night_rows(league, day, simulated), real, day) > 2_000


def test_every_player_who_played_has_a_row_and_a_forecast_of_every_system(walked: Walked) -> None:
    logs = LEAGUE.game_logs(LAST + timedelta(days=1)).filter(pl.col("game_date") >= NIGHT)
    keys = ["game_date", "player_lookup"]
    assert sorted(walked.walk.rows.select(keys).rows()) == sorted(logs.select(keys).rows())
    assert {len(f) for f in walked.walk.forecasts.values()} == {logs.height}


def test_base_lines_are_those_of_the_slate(walked: Walked) -> None:
    slate = slate_of(LEAGUE, NIGHT)
    rows = walked.walk.rows.filter(pl.col("game_date") == NIGHT)
    lines = {p.player_lookup: p.market("points").base_line for p in slate.players}
    quoted = rows.filter(pl.col(BASE_LINE).is_not_null())
    assert quoted.height > 20
    for lookup, line in quoted.select("player_lookup", BASE_LINE).rows():
        assert lines[lookup] == line
    off = rows.filter(~pl.col("on_slate"))["player_lookup"]
    assert not set(off) & set(lines)


def test_a_second_walk_trains_nothing_and_has_the_same_result(walked: Walked) -> None:
    assert [used.trained_now for used in walked.walk.spans] == [True]
    again = walk(LEAGUE, walked.store, NIGHT, LAST, retrain="never")
    assert [used.trained_now for used in again.spans] == [False]
    for system, forecast in again.forecasts.items():
        assert (forecast.mean == walked.walk.forecasts[system].mean).all()


@dataclass(frozen=True)
class OtherOutcomes:
    """A league with other outcomes from a date on."""

    league: LeagueSource
    since: date
    name: str = "other"
    first_date: date | None = None

    def _changed(self, logs: pl.DataFrame) -> pl.DataFrame:
        later = pl.col("game_date") >= self.since
        return logs.with_columns(pl.when(later).then(40).otherwise("points").alias("points"))

    def game_logs(self, before: date) -> pl.DataFrame:
        return self._changed(self.league.game_logs(before))

    def box_scores(self, game_date: date) -> pl.DataFrame:
        return self._changed(self.league.box_scores(game_date))

    def schedule(self, game_date: date) -> pl.DataFrame:
        return self.league.schedule(game_date)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        return self.league.prop_lines(game_date)

    def injuries(self, game_date: date) -> pl.DataFrame:
        return self.league.injuries(game_date)

    def roster(self, game_date: date) -> pl.DataFrame:
        return self.league.roster(game_date)

    def provenance(self, game_date: date) -> Provenance:
        return self.league.provenance(game_date)

    def known_at(self, as_of: datetime) -> LeagueSource:
        return OtherOutcomes(self.league.known_at(as_of), self.since)

    def accounts(self, game_date: date) -> list[InputAccount]:
        return self.league.accounts(game_date)


def test_later_games_change_no_forecast(walked: Walked) -> None:
    other = walk(OtherOutcomes(LEAGUE, NIGHT), walked.store, NIGHT, LAST, retrain="never")
    alone = walk(LEAGUE, walked.store, NIGHT, NIGHT, retrain="weekly")
    upto = walked.walk.rows.filter(pl.col("game_date") == NIGHT).height
    assert 0 < upto == alone.rows.height < walked.walk.rows.height
    for system, forecast in walked.walk.forecasts.items():
        assert (other.forecasts[system].mean[:upto] == forecast.mean[:upto]).all()
        assert (alone.forecasts[system].mean == forecast.mean[:upto]).all()
    # On the next date the other outcomes are known, so the test can fail.
    later = walked.walk.forecasts["xgboost"].mean[upto:]
    assert (other.forecasts["xgboost"].mean[upto:] != later).any()


D = date
PLAYED = [D(2024, 10, 22), D(2024, 10, 31), D(2024, 11, 1), D(2024, 11, 4), D(2025, 1, 2)]


def cutoffs(retrain: str, history: pl.DataFrame | None = None) -> list[tuple[date, date, date]]:
    empty = pl.DataFrame(schema={"game_date": pl.Date})
    known = empty if history is None else history
    spans = spans_of(PLAYED, D(2024, 10, 20), retrain, lambda before: known)
    return [(s.cutoff, s.first, s.last) for s in spans]


def test_without_retraining_the_cutoff_is_the_first_date() -> None:
    assert cutoffs("never") == [(D(2024, 10, 20), PLAYED[0], PLAYED[-1])]


def test_the_cutoff_of_monthly_models_is_the_first_of_the_month() -> None:
    assert cutoffs("monthly") == [
        (D(2024, 10, 1), D(2024, 10, 22), D(2024, 10, 31)),
        (D(2024, 11, 1), D(2024, 11, 1), D(2024, 11, 4)),
        (D(2025, 1, 1), D(2025, 1, 2), D(2025, 1, 2)),
    ]


def test_the_cutoff_of_weekly_models_is_that_of_the_nights() -> None:
    many = pl.DataFrame({"game_date": [D(2024, 4, 1)] * 5_000})
    assert [c for c, _, _ in cutoffs("weekly", many)] == [
        *(D(2024, 10, 21), D(2024, 10, 28), D(2024, 11, 4), D(2024, 12, 30))
    ]
    # With too few games the cutoff of a night is its own date.
    assert [c for c, _, _ in cutoffs("weekly")] == PLAYED


@pytest.mark.parametrize("retrain", ["never", "monthly", "weekly"])
def test_no_cutoff_is_later_than_its_dates(retrain: str) -> None:
    assert all(cutoff <= first <= last for cutoff, first, last in cutoffs(retrain))


def test_a_traded_player_has_the_features_of_the_night() -> None:
    logs = play_league(dates=12)
    day: date = logs["game_date"].to_list()[-1]
    before, today = (
        logs.filter(pl.col("game_date") < day),
        logs.filter(pl.col("game_date") == day),
    )
    schedule = (
        today.filter("is_home")
        .unique("game_id")
        .select("game_date", "game_id", away_team="opponent", home_team="team")
        .with_columns(pl.lit(None, SCHEDULE["tipoff"]).alias("tipoff"))
    )
    nothing = LEAGUE.prop_lines(date(2025, 7, 1)), LEAGUE.injuries(date(2025, 7, 1))
    slate = load_slate(day, before, schedule, *nothing)
    moved = next(p for p in slate.players if p.player_lookup in set(today["player_lookup"]))
    unknown = replace(moved, team=None, opponent=None, is_home=None)
    others = tuple(unknown if p is moved else p for p in slate.players)
    absent = replace(moved, player_lookup="unknown")
    slate = replace(slate, players=(*others, absent))
    rows, did_not_play = described(logs, [slate])
    expected = {p.player_lookup for p in slate.players} - set(today["player_lookup"])
    assert did_not_play == len(expected) > 0
    asked = build_features(before, slate_frame(slate)).sort("player_lookup")
    found = rows.filter("on_slate").sort("player_lookup")
    asked = asked.join(found, on="player_lookup", how="semi")
    columns = ["player_lookup", *FEATURES]
    assert found.select(columns).equals(asked.select(columns))
    mine = found.filter(pl.col("player_lookup") == moved.player_lookup)
    assert mine["is_home"].to_list() == [None]
    scored = today.filter(pl.col("player_lookup") == moved.player_lookup)["points"]
    assert mine["points"].to_list() == scored.to_list()
    assert rows.height == today.height


def test_dates_without_games_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match="to 2026-07-09; the history before that ends"):
        walk(LEAGUE, ModelStore(tmp_path), date(2026, 7, 1), date(2026, 7, 9))


def test_an_unknown_retrain_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match="daily is unknown; choose monthly, weekly, never"):
        walk(LEAGUE, ModelStore(tmp_path), NIGHT, LAST, retrain="daily")
