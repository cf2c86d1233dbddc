"""The examples of docs/adding-a-system.md: added as the guide says, and run."""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import nba_predictions
from nba_predictions.domain import market as markets
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.features.build import build_features, market_features
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
FILE, ENTRY, MARKET, MARKET_FILE, MARKET_ENTRY = re.findall(
    r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
)


def add_file(name: str, code: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """Create the module of a system."""
    module = ModuleType(f"nba_predictions.systems.{name}")
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    patch.setitem(sys.modules, module.__name__, module)
    return module


def add_entry(
    entry: str, module: ModuleType, patch: pytest.MonkeyPatch, **imported: object
) -> None:
    """Run an entry in a module of the product, with the names that it imports."""
    scope = vars(module) | imported
    exec(compile(entry, str(GUIDE), "exec"), scope)
    for name in re.findall(r"^([A-Z]+)\b.* = ", entry, re.MULTILINE):
        patch.setattr(module, name, scope[name], raising=False)


@pytest.fixture
def minutes_rate(monkeypatch: pytest.MonkeyPatch) -> System:
    """The system for points, registered as the guide says."""
    system = add_file("minutes_rate", FILE, monkeypatch).MINUTES_RATE
    add_entry(ENTRY, registry, monkeypatch, MINUTES_RATE=system)
    assert isinstance(system, System)
    return system


@pytest.fixture
def rebounds_average(monkeypatch: pytest.MonkeyPatch) -> System:
    """The system of the second market, registered as the guide says."""
    add_entry(MARKET, markets, monkeypatch)
    system = add_file("rebounds_average", MARKET_FILE, monkeypatch).REBOUNDS_AVERAGE
    add_entry(MARKET_ENTRY, registry, monkeypatch, REBOUNDS_AVERAGE=system)
    assert isinstance(system, System)
    return system


def test_the_system_of_the_guide_is_trained_and_predicts(minutes_rate: System) -> None:
    models = train(HISTORY, LAST)
    assert minutes_rate.system_id == "minutes_rate"
    assert minutes_rate.system_id in models.calibrations
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


def test_the_system_of_the_guide_follows_its_rules(minutes_rate: System) -> None:
    models = train(HISTORY.head(50), LAST)
    more, fewer = player(minutes_last_5=36.0), player(minutes_last_5=28.0)
    means = [float(minutes_rate.forecast(f, models).mean[0]) for f in (fewer, player(), more)]
    assert means == sorted(set(means))
    both = minutes_rate.forecast(pl.concat([fewer, more]), models)
    assert both.mean.tolist() == [means[0], means[2]]
    unknown = player().with_columns(pl.lit(None, pl.Float64).alias("points_per_minute"))
    prior = models.prior(minutes_rate.market)
    assert minutes_rate.forecast(unknown, models).mean[0] <= prior.median


def test_the_market_of_the_guide_is_trained_and_predicted(rebounds_average: System) -> None:
    assert [m.name for m in markets.registered_markets()] == ["points", "rebounds"]
    models = train(HISTORY, LAST)
    assert models.card["metrics"]["rebounds_average"]["mean_absolute_error"] < 2
    forecasts = predict_all(build_features(HISTORY, slate_of(HISTORY, LAST)), models)
    rebounds, points = forecasts["rebounds_average"], forecasts["ensemble"]
    assert (rebounds.mean < points.mean).mean() > 0.9
    assert rebounds.mean.max() > 0


def test_the_guide_names_the_features_that_a_market_adds(rebounds_average: System) -> None:
    guide = GUIDE.read_text("utf-8")
    for name in market_features():
        assert f"`{name}`" in guide or f"`{name.removeprefix('rebounds')}`" in guide
