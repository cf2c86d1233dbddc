from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import polars as pl
import pytest

from nba_predictions.domain.betting.slate import Skip
from nba_predictions.domain.tables import RESULTS
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.nightly.grading import Grading, grade_date
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, slate_of, slate_player
from nba_predictions_tests.nightly.conftest import ROWS, Night


def box_scores(**points: int) -> pl.DataFrame:
    rows = [{"player_lookup": name, "points": p, "minutes": 30.5} for name, p in points.items()]
    return pl.DataFrame(rows, schema=GAME_LOGS)


def grade(night: Night, boxes: pl.DataFrame, run_id: str = "grader") -> Grading:
    report = grade_date(GAME_DATE, boxes, night.store, night.warehouse, run_id=run_id)
    assert report is not None
    return report


def results(night: Night) -> list[dict[str, Any]]:
    with duckdb.connect(str(night.warehouse.path)) as connection:
        found = connection.sql(f"SELECT * FROM {RESULTS.name} ORDER BY ALL").to_arrow_table()
    return [dict(row) for row in found.to_pylist()]


BOXES = box_scores(lukadoncic=33, paulgeorge=21)


def test_every_prediction_is_graded_once(night: Night) -> None:
    night.published()
    report = grade(night, BOXES)
    assert (report.merge.inserted, report.merge.updated) == (ROWS, 0)
    # Luka's lines are 29.5 to 33.5, Paul's 20.5 to 24.5; Zach did not play.
    assert report.outcomes == {"OVER": 4 * 5 + 1 * 5, "UNDER": 1 * 5 + 4 * 5, "VOID": 5}
    rows = results(night)
    assert len(rows) == ROWS
    paul = [r for r in rows if r["player_lookup"] == "paulgeorge"]
    assert {r["actual_points"] for r in paul} == {21}
    assert [r["absolute_error"] for r in paul] == pytest.approx([0.37] * 25)
    assert {r["minutes"] for r in paul} == {30.5}
    assert {r["prediction_id"] for r in rows} == {r["prediction_id"] for r in night.rows()}


def test_a_player_who_did_not_play_is_void(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    zach = [r for r in results(night) if r["player_lookup"] == "zachcollins"]
    assert {r["outcome"] for r in zach} == {"VOID"}
    assert {(r["actual_points"], r["is_correct"]) for r in zach} == {(None, None)}


def test_grading_twice_writes_the_same_rows(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    before = results(night)
    again = grade(night, BOXES, "grader_2")
    assert (again.merge.inserted, again.merge.updated) == (0, ROWS)
    after = results(night)
    stamps = {"updated_at": None, "write_sequence": None}
    assert [{**r, **stamps} for r in after] == [{**r, **stamps} for r in before]


def test_a_corrected_box_score_corrects_the_grade(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    grade(night, box_scores(lukadoncic=33, paulgeorge=30))
    paul = [r for r in results(night) if r["player_lookup"] == "paulgeorge"]
    assert {r["actual_points"] for r in paul} == {30}
    assert len(results(night)) == ROWS


def test_concurrent_grading_writes_one_row_per_prediction(night: Night) -> None:
    night.published()
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda n: grade(night, BOXES, f"grader_{n}"), range(4)))
    assert sorted(r.merge.inserted for r in reports) == [0, 0, 0, ROWS]
    assert len(results(night)) == ROWS


def test_without_box_scores_nothing_is_graded(night: Night) -> None:
    night.published()
    assert (
        grade_date(GAME_DATE, box_scores(), night.store, night.warehouse, run_id="grader") is None
    )
    assert results(night) == []


def test_without_predictions_there_is_nothing_to_grade(night: Night) -> None:
    report = grade(night, BOXES)
    assert (report.outcomes, report.merge.affected) == ({}, 0)


def staging_left(night: Night) -> list[str]:
    folder = night.warehouse.staging_dir
    return sorted(str(path) for path in folder.rglob("*.parquet"))


def test_grading_leaves_no_staging_behind(night: Night) -> None:
    night.published()
    before = staging_left(night)
    grade(night, BOXES)
    assert staging_left(night) == before


def test_failed_grading_leaves_no_staging_behind(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.published()

    def refuse(*args: object) -> None:
        raise OSError("disk full")

    before = staging_left(night)
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "merge", refuse)
        with pytest.raises(OSError, match="disk full"):
            grade(night, BOXES)
    assert staging_left(night) == before
    assert grade(night, BOXES, "grader_2").merge.inserted == ROWS


def test_lines_that_are_no_longer_predicted_have_no_result(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    night.delete_rows("points_line = 24.5")
    assert grade(night, BOXES, "grader_2").merge.superseded == 5
    assert {r["prediction_id"] for r in results(night)} == {
        r["prediction_id"] for r in night.rows()
    }


def test_a_player_who_is_no_longer_predicted_has_no_result(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    night.delete_rows("player_lookup = 'lukadoncic'")
    assert grade(night, BOXES, "grader_2").merge.superseded == 25
    assert {r["player_lookup"] for r in results(night)} == {"paulgeorge", "zachcollins"}


def test_other_dates_keep_their_results(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    with duckdb.connect(str(night.warehouse.path)) as connection:
        connection.execute(f"UPDATE {RESULTS.name} SET game_date = game_date - 1")
    grade(night, BOXES, "grader_2")
    assert len(results(night)) == 2 * ROWS


def test_a_result_has_the_columns_that_calibration_needs(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    predicted = {r["prediction_id"]: r for r in night.rows()}
    for row in results(night):
        for column in ("over_probability", "push_probability", "base_line", "recommendation"):
            assert row[column] == predicted[row["prediction_id"]][column]


def test_a_game_without_box_scores_is_reported(night: Night) -> None:
    night.published()
    (game,) = {r["game_id"] for r in night.rows()}
    assert grade(night, BOXES).games_without_box_scores == (game,)
    boxes_of_game = BOXES.with_columns(pl.lit(game).alias("game_id"))
    assert grade(night, boxes_of_game, "grader_2").games_without_box_scores == ()


def test_a_date_without_games_needs_no_box_scores(night: Night) -> None:
    def graded(games: int) -> Grading | None:
        return grade_date(
            GAME_DATE, box_scores(), night.store, night.warehouse, run_id="grader", games=games
        )

    report = graded(games=0)
    assert report is not None
    assert (report.outcomes, report.games_without_box_scores) == ({}, ())
    assert graded(games=2) is None
    # Predictions wait for box scores even if the schedule lists no games any more.
    night.published()
    assert graded(games=0) is None


def test_the_next_grading_removes_results_of_retired_predictions(night: Night) -> None:
    night.published()
    grade(night, BOXES)
    out = Skip("lukadoncic", "injury_report: OUT")
    night.published(slate=slate_of([slate_player(), slate_player("zachcollins", None)], [out]))
    grade(night, BOXES)
    assert {r["prediction_id"] for r in results(night)} == {
        r["prediction_id"] for r in night.rows()
    }
    assert len(results(night)) == 30


def test_a_player_who_was_renamed_since_the_prediction_is_graded(night: Night) -> None:
    players = [slate_player("paulgeorge", player_id=7), slate_player("lukadoncic", player_id=8)]
    night.published(slate=slate_of(players))
    rows = [
        {"player_id": 7, "player_lookup": "paulgeorgejr", "points": 21, "minutes": 30.5},
        # Another player, who has the name of the first one now.
        {"player_id": 9, "player_lookup": "paulgeorge", "points": 2, "minutes": 3.0},
    ]
    grade(night, pl.DataFrame(rows, schema=GAME_LOGS))
    found = {(r["player_lookup"], r["player_id"], r["actual_points"]) for r in results(night)}
    assert found == {("paulgeorge", 7, 21), ("lukadoncic", 8, None)}
