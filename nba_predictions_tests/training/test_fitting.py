"""Training: deterministic, without data from the future, with a card that describes it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nba_predictions.features.build import FEATURES, history_columns, training_features
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.systems.base import Forecast
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training import cutoff as cutoff_module
from nba_predictions.training import fingerprint
from nba_predictions.training.cutoff import training_cutoff
from nba_predictions.training.fingerprint import training_fingerprint
from nba_predictions.training.fitting import train
from nba_predictions.training.scoring import metrics
from nba_predictions_tests.systems.league import play_league
from nba_predictions_tests.systems.registered import BY_ID, SYSTEM_IDS, outcomes_for

HISTORY = play_league(11, dates=100)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]


@pytest.fixture(scope="module")
def models() -> TrainedModels:
    return train(HISTORY, CUTOFF)


def test_the_card_describes_the_training(models: TrainedModels) -> None:
    past = HISTORY.filter(pl.col("game_date") < CUTOFF)
    card = models.card
    assert models.version == card["cutoff"] == CUTOFF.isoformat()
    assert card["trained_through"] == DATES[79].isoformat()
    assert card["trained_from"] == DATES[0].isoformat()
    assert card["rows"] == past.height
    assert card["features"] == list(FEATURES)
    assert card["xgboost_trained"] is True
    assert card["held_out_from"] < card["trained_through"]
    assert tuple(card["metrics"]) == SYSTEM_IDS
    assert sum(models.weights.values()) == pytest.approx(1.0)
    assert tuple(models.calibrations) == SYSTEM_IDS


def test_forecasts_of_later_games_beat_the_season_average_and_cover_the_outcomes(
    models: TrainedModels,
) -> None:
    late = training_features(HISTORY).filter(
        (pl.col("game_date") >= CUTOFF) & (pl.col("games") >= 10)
    )
    for system_id, forecast in predict_all(late, models).items():
        statistic, outcomes = BY_ID[system_id].market.statistic, outcomes_for(system_id, late)
        average = float(np.abs(outcomes - late[f"{statistic}_season"].to_numpy()).mean())
        score = metrics(forecast, outcomes)
        assert score["mean_absolute_error"] < 1.02 * average, system_id
        assert 0.40 < score["coverage_50"] < 0.60, system_id
        assert 0.70 < score["coverage_80"] < 0.90, system_id


def test_the_same_history_gives_the_same_bytes(models: TrainedModels) -> None:
    shuffled = HISTORY.sample(fraction=1.0, shuffle=True, seed=4)
    assert train(shuffled, CUTOFF).to_bytes() == models.to_bytes()


def test_games_from_the_cutoff_on_are_ignored(models: TrainedModels) -> None:
    future = pl.col("game_date") >= CUTOFF
    changed = HISTORY.with_columns(points=pl.when(future).then(77).otherwise("points"))
    assert train(changed, CUTOFF).to_bytes() == models.to_bytes()
    assert train(HISTORY.filter(~future), CUTOFF).to_bytes() == models.to_bytes()
    before = HISTORY.with_columns(points=pl.when(~future).then(77).otherwise("points"))
    assert train(before, CUTOFF).to_bytes() != models.to_bytes()


def test_models_survive_being_stored(models: TrainedModels) -> None:
    raw = models.to_bytes()
    back = TrainedModels.from_bytes(raw)
    assert back == models
    assert back.to_bytes() == raw
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:  # no time of writing
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    late = training_features(HISTORY).filter(pl.col("game_date") >= CUTOFF)
    for system_id, forecast in predict_all(late, models).items():
        assert (predict_all(late, back)[system_id].mean == forecast.mean).all()


@pytest.mark.parametrize("dates", [0, 1, 4])
def test_with_too_few_games_the_models_are_the_defaults(dates: int) -> None:
    cutoff = DATES[dates]
    found = train(HISTORY, cutoff)
    assert found.booster is None
    assert found.card["xgboost_trained"] is False
    assert found.card["rows"] == HISTORY.filter(pl.col("game_date") < cutoff).height
    assert TrainedModels.from_bytes(found.to_bytes()) == found
    tonight = training_features(HISTORY).filter(pl.col("game_date") == cutoff)
    for forecast in predict_all(tonight, found).values():
        assert len(forecast) == tonight.height


def test_training_works_if_all_players_score_nothing_in_the_same_minutes() -> None:
    uniform = HISTORY.with_columns(
        pl.lit(0).cast(pl.Int64).alias(c) for c, dtype in GAME_LOGS.items() if dtype == pl.Int64
    ).with_columns(minutes=pl.lit(20.0))
    found = train(uniform, CUTOFF)
    tonight = training_features(uniform).filter(pl.col("game_date") == CUTOFF)
    for forecast in predict_all(tonight, found).values():
        assert forecast.mean.max() < 0.5


def test_bytes_that_are_not_models_are_refused(models: TrainedModels) -> None:
    with pytest.raises(ValueError, match="5 bytes are not trained models"):
        TrainedModels.from_bytes(b"hello")
    with pytest.raises(ValueError, match="not trained models"):
        TrainedModels.from_bytes(models.to_bytes()[:-400])
    with pytest.raises(ValueError, match="not trained models"):
        TrainedModels.from_bytes(_rewritten(models.to_bytes(), "learned.json", b"{"))


def test_models_of_the_format_before_markets_are_read(models: TrainedModels) -> None:
    prior = models.priors["points"]
    with zipfile.ZipFile(io.BytesIO(models.to_bytes())) as archive:
        learned = json.loads(archive.read("learned.json"))
    del learned["priors"]
    learned |= {"format": 2, "prior": {"points": prior.median, "sd": prior.sd}}
    old = _rewritten(models.to_bytes(), "learned.json", json.dumps(learned).encode())
    assert TrainedModels.from_bytes(old) == models


def test_models_of_other_features_are_refused(models: TrainedModels) -> None:
    with zipfile.ZipFile(io.BytesIO(models.to_bytes())) as archive:
        learned = archive.read("learned.json").replace(b'"points_ewm"', b'"points_old"')
    other = _rewritten(models.to_bytes(), "learned.json", learned)
    with pytest.raises(ValueError, match=r"other features.*train again"):
        TrainedModels.from_bytes(other)


def _rewritten(raw: bytes, name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return out.getvalue()


def test_the_cutoff_is_the_monday_of_the_week_after_enough_games(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    friday = date(2024, 1, 5)
    assert training_cutoff(friday, HISTORY) == friday
    monkeypatch.setattr(cutoff_module, "ROWS_FOR_WEEKLY", 500)
    monday = date(2024, 1, 1)
    before = HISTORY.filter(pl.col("game_date") < monday)
    assert before.height >= 500
    for day in range(7):
        assert training_cutoff(monday + timedelta(days=day), HISTORY) == monday
        assert training_cutoff(monday + timedelta(days=day), before) == monday
    monkeypatch.setattr(cutoff_module, "ROWS_FOR_WEEKLY", before.height + 1)
    assert training_cutoff(friday, HISTORY) == friday


def test_the_fingerprint_covers_exactly_the_training_data() -> None:
    same = training_fingerprint(HISTORY, CUTOFF)
    future = pl.col("game_date") >= CUTOFF
    assert training_fingerprint(HISTORY.sample(fraction=1, shuffle=True, seed=1), CUTOFF) == same
    assert training_fingerprint(HISTORY.filter(~future), CUTOFF) == same
    unused = set(GAME_LOGS) - set(history_columns())
    assert {"player_name", "season"} <= unused
    assert training_fingerprint(HISTORY.drop(unused), CUTOFF) == same
    row = pl.int_range(pl.len()) == 17
    for changed in (
        HISTORY.with_columns(points=pl.col("points") + row.cast(pl.Int64)),
        HISTORY.with_columns(minutes=pl.when(row).then(None).otherwise("minutes")),
        HISTORY.with_columns(team=pl.when(row).then(None).otherwise("team")),
        HISTORY.filter(~row),
        pl.concat([HISTORY, HISTORY.head(1)]),
    ):
        assert training_fingerprint(changed, CUTOFF) != same
    assert training_fingerprint(HISTORY, CUTOFF + timedelta(days=30)) != same


def test_the_fingerprint_covers_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    same = training_fingerprint(HISTORY, CUTOFF)
    monkeypatch.setattr(fingerprint, "code_version", lambda: "other")
    assert training_fingerprint(HISTORY, CUTOFF) != same


def test_metrics_by_hand() -> None:
    forecast = Forecast(np.array([10.0, 10.0, 10.0, 10.0]), np.full(4, 5.0), np.full(4, 0.5))
    # One standard deviation is 5 points: 50% are within 3.4 points, 80% within 6.4.
    found = metrics(forecast, np.array([10.0, 13.0, 16.0, 19.0]))
    assert found["mean_absolute_error"] == pytest.approx((0 + 3 + 6 + 9) / 4)
    assert found["bias"] == pytest.approx(-4.5)
    assert found["coverage_50"] == 0.5
    assert found["coverage_80"] == 0.75
    assert found["rows"] == 4


def test_models_are_compared_by_value(models: TrainedModels) -> None:
    assert replace(models) == models
    assert replace(models, version="2020-01-06") != models
