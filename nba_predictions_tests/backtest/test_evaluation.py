"""The tables of an evaluation: every forecaster on the same rows, with correct numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba_predictions.backtest import rendering
from nba_predictions.backtest.evaluation import (
    AVERAGES,
    Evaluation,
    Scope,
    evaluate_markets,
    tier_names,
)
from nba_predictions.backtest.walk_forward import Walk, line_columns
from nba_predictions.domain.errors import BacktestError
from nba_predictions.domain.market import POINTS
from nba_predictions.systems.distribution import over_probability
from nba_predictions_tests.backtest.conftest import LAST, NIGHT, Walked
from nba_predictions_tests.systems.registered import POINTS_IDS

EVERYONE = Scope(1, 0.0)
NAMES = list(POINTS_IDS)
BASE_LINE, FAIR_OVER = line_columns(POINTS)


def evaluate_points(
    walk: Walk,
    *,
    scope: Scope = EVERYONE,
    systems: Sequence[str] | None = None,
    last: date = LAST,
) -> Evaluation:
    evaluations = evaluate_markets(
        walk, NIGHT, last, retrain="never", scope=scope, systems=systems or NAMES
    )
    assert evaluations[0].market == POINTS
    return evaluations[0]


@pytest.fixture(scope="module")
def report(walked: Walked) -> Evaluation:
    return evaluate_points(walked.walk)


def test_all_forecasters_are_evaluated_on_the_same_rows(report: Evaluation) -> None:
    for rows, forecasters in (
        ("all", {*NAMES, *AVERAGES}),
        ("with line", {*NAMES, *AVERAGES, "line"}),
    ):
        own = report.errors.filter(pl.col("rows") == rows)
        assert set(own["forecaster"]) == forecasters
        for _, part in own.group_by("by", "slice"):
            assert part["n"].n_unique() == 1
            assert part.height == len(forecasters)


@pytest.mark.parametrize("by", ["tier", "month"])
def test_slices_add_up_to_the_whole(report: Evaluation, by: str) -> None:
    for rows in ("all", "with line"):
        own = report.errors.filter((pl.col("rows") == rows) & (pl.col("forecaster") == "ensemble"))
        (whole,) = own.filter(pl.col("by") == "all").to_dicts()
        parts = own.filter(pl.col("by") == by)
        assert parts["n"].sum() == whole["n"]
        weighted = (parts["n"] * parts["mae"]).sum() / whole["n"]
        assert weighted == pytest.approx(whole["mae"])


def test_a_paired_difference_is_the_difference_of_the_errors(report: Evaluation) -> None:
    mae = dict(report.main_errors("with line").select("forecaster", "mae").iter_rows())
    for row in report.main_errors("with line").to_dicts():
        for other in (*AVERAGES, "line"):
            difference = row[f"vs_{other}"]
            if other == row["forecaster"]:
                assert difference is None
            else:
                assert difference == pytest.approx(mae[row["forecaster"]] - mae[other])


def test_the_error_of_the_line_is_that_of_the_base_line(walked: Walked, report: Evaluation) -> None:
    rows = walked.walk.rows.filter(pl.col(BASE_LINE).is_not_null() & (pl.col("games_season") >= 1))
    errors = (rows["points"] - rows[BASE_LINE].cast(pl.Float64)).abs()
    (line,) = report.main_errors("with line").filter(pl.col("forecaster") == "line").to_dicts()
    assert line["n"] == rows.height > 50
    assert line["mae"] == pytest.approx(errors.mean())


def test_a_row_without_a_value_of_one_forecaster_is_left_out_for_all(walked: Walked) -> None:
    gaps = walked.walk.rows.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then("points_season").alias("points_season")
    )
    full = evaluate_points(walked.walk)
    half = evaluate_points(replace(walked.walk, rows=gaps))
    assert half.counts["in_scope"] == full.counts["in_scope"]
    assert 0 < half.counts["judged"] < full.counts["judged"]
    assert half.errors.filter(pl.col("by") == "all")["n"].n_unique() <= 2


def test_only_the_named_systems_are_evaluated(walked: Walked) -> None:
    some = evaluate_points(walked.walk, systems=["xgboost", "ensemble"])
    assert set(some.errors["forecaster"]) - {*AVERAGES, "line"} == {"xgboost", "ensemble"}
    assert set(some.bets["system"]) == set(some.ranges["system"]) == {"xgboost", "ensemble"}
    assert some.best in ("xgboost", "ensemble")


def test_an_unknown_system_is_refused_with_the_list_of_systems(walked: Walked) -> None:
    with pytest.raises(BacktestError, match=r"lightgbm: no such system.*moving_average"):
        evaluate_points(walked.walk, systems=["ensemble", "lightgbm"])


def test_the_error_of_a_scope_without_rows_names_the_options_to_lower(walked: Walked) -> None:
    with pytest.raises(BacktestError, match="--min-games and --min-minutes"):
        evaluate_points(walked.walk, scope=Scope(60, 15))


def test_the_best_system_has_the_least_error(report: Evaluation) -> None:
    own = report.main_errors("all").filter(pl.col("forecaster").is_in(NAMES))
    assert report.best == own["forecaster"][0]
    assert own["mae"].min() == own["mae"][0]


def test_tiers_use_values_known_before_the_game(walked: Walked, report: Evaluation) -> None:
    expected = walked.walk.rows.filter(pl.col("games_season") >= 1)["points_ewm"]
    counts = dict(
        report.errors.filter(
            (pl.col("by") == "tier")
            & (pl.col("rows") == "all")
            & (pl.col("forecaster") == "ensemble")
        )
        .select("slice", "n")
        .iter_rows()
    )
    assert counts["25+"] == (expected >= 25).sum()
    assert counts["0-8"] == (expected < 8).sum()
    assert set(counts) <= set(tier_names())


def test_an_evaluation_without_lines(walked: Walked, tmp_path: Path) -> None:
    bare = walked.walk.rows.with_columns(pl.lit(None, pl.Decimal(5, 1)).alias(BASE_LINE))
    report = evaluate_points(replace(walked.walk, rows=bare))
    assert (report.counts["judged_with_line"], report.bets.height) == (0, 0)
    assert set(report.errors["rows"]) == {"all"}
    assert set(report.probabilities["at"]) == {"stand-in line"}
    rendering.write(report, tmp_path)
    assert "with_line=0" in rendering.last_line(report)


def test_at_the_stand_in_line_forecasts_are_not_updated_by_lines(
    walked: Walked, report: Evaluation
) -> None:
    """Otherwise the information of the line would count as skill of the system."""
    rows = walked.walk.rows
    at = np.flatnonzero((rows["games_season"] >= 1).to_numpy())
    line = np.floor(0.96 * rows["points_ewm"].to_numpy()[at]) + 0.5
    forecast = walked.walk.forecasts["ensemble"]
    over = over_probability(forecast.mean[at], forecast.spread[at], line)
    went_over = rows["points"].to_numpy()[at] > line
    loss = -np.log(np.where(went_over, over, 1 - over)).mean()
    own = report.probabilities.filter(
        (pl.col("at") == "stand-in line")
        & (pl.col("by") == "all")
        & (pl.col("system") == "ensemble")
    )
    assert own["n"].to_list() == [len(at)]
    assert own["log_loss"][0] == pytest.approx(loss)


def test_the_written_report_has_all_tables_and_the_last_line_has_its_numbers(
    report: Evaluation, tmp_path: Path
) -> None:
    files = rendering.write(report, tmp_path / "deep" / "out")
    assert all(file.stat().st_size > 0 for file in files)
    read = json.loads((tmp_path / "deep" / "out" / "report.json").read_text("utf-8"))
    assert len(read["errors"]) == report.errors.height
    assert read["counts"]["judged"] == report.counts["judged"]
    assert read["source"] == "simulated"
    text = (tmp_path / "deep" / "out" / "report.md").read_text("utf-8")
    page = (tmp_path / "deep" / "out" / "report.html").read_text("utf-8")
    for section in rendering.all_sections(report):
        assert f"\n## {section.title}\n" in text
        assert f"<h2>{section.title}</h2>" in page
    assert page.count("data:image/png;base64,") == 2
    assert "src=" not in re.sub(r'src="data:image/png;base64,[^"]*"', "", page)
    mae = report.main_errors("all").filter(pl.col("forecaster") == report.best)["mae"][0]
    assert rendering.last_line(report) == (
        f"BACKTEST rows={report.counts['judged']} "
        f"with_line={report.counts['judged_with_line']} best={report.best} "
        f"mae={mae:.4f} market=points"
    )


def test_report_json_is_strict_json(walked: Walked) -> None:
    night = walked.walk.rows["game_date"] == NIGHT
    at = np.flatnonzero(night.to_numpy())
    one = replace(
        walked.walk,
        rows=walked.walk.rows.filter(night),
        forecasts={n: f[at] for n, f in walked.walk.forecasts.items()},
    )
    report = evaluate_points(one, last=NIGHT)
    # A single date has no standard error.
    assert math.isnan(report.errors["mae_se"][0])
    json.dumps(rendering.to_json(report), allow_nan=False, default=str)


def test_the_predictions_have_one_row_per_evaluated_row_and_system(report: Evaluation) -> None:
    keys = ["game_date", "player_lookup", "system_id"]
    assert report.predictions.height == report.counts["judged"] * len(NAMES)
    assert report.predictions.select(keys).is_unique().all()
    quoted = report.predictions.filter(pl.col("base_line").is_not_null())
    assert quoted["over_probability"].null_count() == 0
    assert quoted.height == report.counts["judged_with_line"] * len(NAMES)
