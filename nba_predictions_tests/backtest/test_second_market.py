"""A backtest with a second market: each market is evaluated on its own statistic and lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba_predictions.backtest import rendering
from nba_predictions.backtest.evaluation import AVERAGES, Evaluation, Scope, evaluate_markets
from nba_predictions.backtest.walk_forward import Walk, line_columns, walk
from nba_predictions.training.model_store import ModelStore
from nba_predictions_tests.backtest.conftest import LEAGUE, NIGHT, Walked
from nba_predictions_tests.second_market import REBOUNDS, register

BASE_LINE, FAIR_OVER = line_columns(REBOUNDS)


@pytest.fixture(scope="module", autouse=True)
def both_markets(walked: Walked) -> Iterator[None]:
    """Register the second market after the walk of points alone."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A walk in which players with an average of 4 rebounds or more have a line near it."""
    store = ModelStore(tmp_path_factory.mktemp("both"))
    walked = walk(LEAGUE, store, NIGHT, NIGHT, retrain="never")
    line = pl.col("rebounds_ewm").floor() + 0.5
    rows = walked.rows.with_columns(
        pl.when(line > 4).then(line).cast(pl.Decimal(5, 1)).alias(BASE_LINE)
    )
    return replace(walked, rows=rows)


@pytest.fixture(scope="module")
def evaluations(both: Walk) -> list[Evaluation]:
    return evaluate_markets(both, NIGHT, NIGHT, retrain="never", scope=Scope(1, 0.0))


def test_each_market_is_evaluated_with_its_own_systems(evaluations: list[Evaluation]) -> None:
    points, rebounds = evaluations
    assert [points.market.name, rebounds.market.name] == ["points", "rebounds"]
    assert set(rebounds.errors["forecaster"]) == {"rebounds_average", *AVERAGES, "line"}
    assert "rebounds_average" not in set(points.errors["forecaster"])
    assert rebounds.best == "rebounds_average"


def test_errors_are_of_the_statistic_of_the_market(
    both: Walk, evaluations: list[Evaluation]
) -> None:
    rows = both.rows.filter(pl.col("games_season") >= 1)
    errors = dict(evaluations[1].main_errors("all").select("forecaster", "mae").iter_rows())
    expected = (rows["rebounds"] - rows["rebounds_last_10"]).abs().mean()
    assert errors["last_10"] == pytest.approx(expected)
    lined = rows.filter(pl.col(BASE_LINE).is_not_null())
    of_line = dict(evaluations[1].main_errors("with line").select("forecaster", "mae").iter_rows())
    line_error = (lined["rebounds"] - lined[BASE_LINE].cast(pl.Float64)).abs().mean()
    assert of_line["line"] == pytest.approx(line_error)
    assert evaluations[1].counts["judged_with_line"] == lined.height > 20


def test_tiers_of_points_are_not_used_for_another_market(evaluations: list[Evaluation]) -> None:
    points, rebounds = evaluations
    assert "tier" in set(points.errors["by"])
    assert set(rebounds.errors["by"]) == {"all", "month"}


def test_points_are_as_without_the_second_market(both: Walk, walked: Walked) -> None:
    alone = walked.walk.rows.filter(pl.col("game_date") == NIGHT)
    assert both.rows.select(alone.columns).equals(alone)
    for name, forecast in walked.walk.forecasts.items():
        night = np.arange(alone.height)
        assert (both.forecasts[name].mean == forecast.mean[night]).all()
        assert (both.forecasts[name].line_mean == forecast.line_mean[night]).all()


def test_each_market_has_its_own_folder_and_names_itself(
    evaluations: list[Evaluation], tmp_path: Path
) -> None:
    for evaluation in evaluations:
        rendering.write(evaluation, rendering.folder_of(evaluation, tmp_path))
    text = (tmp_path / "rebounds" / "report.md").read_text("utf-8")
    assert "Market `rebounds`" in text
    assert "In rebounds." in text
    assert rendering.last_line(evaluations[1]).endswith("market=rebounds")
    predictions = pl.read_parquet(tmp_path / "rebounds" / "predictions.parquet")
    assert set(predictions["market"]) == {"rebounds"}
    assert (tmp_path / "report.md").is_file()


def test_only_markets_of_the_named_systems_are_evaluated(both: Walk) -> None:
    (only,) = evaluate_markets(
        both, NIGHT, NIGHT, retrain="never", scope=Scope(1, 0.0), systems=["rebounds_average"]
    )
    assert only.market == REBOUNDS
