"""The worked example of docs/adding-a-system.md, taken from there and run."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import nba_predictions
from nba_predictions.domain.market import POINTS
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.features.build import build_features
from nba_predictions.nightly.predicting import player_predictor
from nba_predictions.systems import registry
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.system import System
from nba_predictions.training.fitting import train
from nba_predictions_tests.examples import slate_player
from nba_predictions_tests.systems.league import play_league, slate_of
from nba_predictions_tests.systems.test_systems import player

GUIDE = Path(nba_predictions.__file__).parents[1] / "docs" / "adding-a-system.md"
HISTORY = play_league(5, dates=60)
LAST: date = HISTORY["game_date"][-1]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> System:
    """The system of the guide, entered into the registry as the guide says."""
    code, entry = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    module = ModuleType("minutes_rate")
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    scope = dict(vars(registry)) | {"MINUTES_RATE": module.MINUTES_RATE}
    exec(compile(entry, str(GUIDE), "exec"), scope)
    monkeypatch.setattr(registry, "SYSTEMS", scope["SYSTEMS"])
    system = scope["SYSTEMS"][-1]
    assert isinstance(system, System)
    return system


def test_the_example_of_the_guide_is_trained_and_predicts_like_any_other(example: System) -> None:
    models = train(HISTORY, LAST)
    assert example.system_id == "minutes_rate"
    assert example.system_id in models.calibrations
    assert models.card["metrics"]["minutes_rate"]["mean_absolute_error"] < 8
    features = build_features(HISTORY, slate_of(HISTORY, LAST))
    assert list(predict_all(features, models))[-1] == "minutes_rate"
    lookup = features["player_lookup"][0]
    predict = player_predictor("batch_1", features, models, None)
    rows = predict(slate_player(lookup, "12.5", on=LAST))
    own = [row for row in rows if row["system_id"] == "minutes_rate"]
    assert len(own) == 5
    assert own[0]["system_version"] == f"1+{LAST.isoformat()}"
    PREDICTIONS.check_rows(rows)


def test_the_example_keeps_the_rules_of_the_guide(example: System) -> None:
    models = train(HISTORY.head(50), LAST)
    more, fewer = player(minutes_last_5=36.0), player(minutes_last_5=28.0)
    means = [float(example.forecast(f, models).mean[0]) for f in (fewer, player(), more)]
    assert means == sorted(set(means))
    both = example.forecast(pl.concat([fewer, more]), models)
    assert both.mean.tolist() == [means[0], means[2]]
    unknown = player().with_columns(pl.lit(None, pl.Float64).alias("points_per_minute"))
    assert example.forecast(unknown, models).mean[0] <= models.prior(POINTS).median
