from decimal import Decimal
from typing import Any

import pytest

from nba_predictions.domain.betting.grading import BoxScore, BoxScores, grade, outcome
from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import RESULTS
from nba_predictions_tests.examples import GAME_DATE, NOON

D = Decimal


def prediction(
    line: str | None = "22.5",
    call: str = "OVER",
    predicted: str = "24.10",
    market: str = "points",
) -> dict[str, Any]:
    return {
        "prediction_id": "id",
        "batch_id": "batch_1",
        "game_date": GAME_DATE,
        "game_id": "20260101_PHI_DAL",
        "player_lookup": "paulgeorge",
        "player_id": None,
        "system_id": "ensemble",
        "market": market,
        "points_line": None if line is None else D(line),
        "system_version": "1",
        "predicted_points": D(predicted),
        "over_probability": None if line is None else 0.6,
        "push_probability": None if line is None else 0.0,
        "base_line": None if line is None else D(line),
        "recommendation": call,
    }


def box_score(points: int, minutes: float = 34.0) -> BoxScore:
    return BoxScore({"points": points, "rebounds": 7}, minutes)


def boxes_of(*rows: tuple[int | None, str, int]) -> BoxScores:
    """Return the box scores of rows of player_id, player_lookup and points."""
    return BoxScores.of((player_id, name, box_score(points)) for player_id, name, points in rows)


def graded(points: int | None, **changed: Any) -> dict[str, Any]:
    boxes = boxes_of() if points is None else boxes_of((None, "paulgeorge", points))
    (row,) = grade([prediction(**changed)], boxes, NOON)
    return row


@pytest.mark.parametrize(
    ("line", "points", "came"),
    [
        ("22.5", 23, "OVER"),
        ("22.5", 22, "UNDER"),
        ("22.0", 22, "PUSH"),
        ("22.0", 23, "OVER"),
        ("0.0", 0, "PUSH"),
        ("-0.5", 0, "OVER"),
        (None, 23, "NO_LINE"),
        (None, None, "VOID"),
        ("22.5", None, "VOID"),
    ],
)
def test_outcome(line: str | None, points: int | None, came: str) -> None:
    assert outcome(None if line is None else D(line), points) == came


@pytest.mark.parametrize(
    ("call", "points", "correct"),
    [("OVER", 23, True), ("OVER", 22, False), ("UNDER", 22, True), ("UNDER", 23, False)],
)
def test_a_call_is_right_or_wrong(call: str, points: int, correct: bool) -> None:
    assert graded(points, call=call)["is_correct"] is correct


def test_a_push_is_neither_right_nor_wrong() -> None:
    row = graded(22, line="22.0")
    assert (row["outcome"], row["is_correct"]) == ("PUSH", None)


def test_a_pass_is_not_graded_as_a_call_but_its_error_is_known() -> None:
    row = graded(23, call="PASS")
    assert (row["outcome"], row["is_correct"], row["absolute_error"]) == ("OVER", None, 1.1)


def test_who_did_not_play_is_void_and_did_not_score_zero() -> None:
    row = graded(None)
    assert row["outcome"] == "VOID"
    assert [row[c] for c in ("actual_points", "minutes", "absolute_error", "is_correct")] == [
        None
    ] * 4


def test_who_played_and_scored_zero_is_graded() -> None:
    row = graded(0, call="UNDER")
    assert (row["actual_points"], row["outcome"], row["is_correct"]) == (0, "UNDER", True)
    assert row["absolute_error"] == 24.1


def test_without_a_line_only_the_error_is_graded() -> None:
    row = graded(30, line=None, call="NO_LINE")
    assert (row["outcome"], row["is_correct"]) == ("NO_LINE", None)
    assert row["absolute_error"] == pytest.approx(5.9)


def test_every_prediction_is_graded_and_fits_the_table() -> None:
    predictions = [prediction(), prediction(line=None, call="NO_LINE"), prediction(line="22.0")]
    rows = grade(predictions, boxes_of((None, "paulgeorge", 22)), NOON)
    assert len(rows) == 3
    assert [r["prediction_id"] for r in rows] == ["id"] * 3
    RESULTS.check_rows(rows)


def test_each_market_is_settled_by_its_own_statistic() -> None:
    row = graded(30, market="rebounds", line="6.5", predicted="8.00")
    assert (row["market"], row["actual_points"], row["outcome"]) == ("rebounds", 7, "OVER")
    assert (row["absolute_error"], row["is_correct"]) == (1.0, True)


def test_a_prediction_without_a_column_of_the_results_is_refused_by_name() -> None:
    incomplete = prediction()
    del incomplete["base_line"]
    with pytest.raises(SchemaMismatchError, match=r"base_line of table prediction_results"):
        grade([incomplete], boxes_of(), NOON)


@pytest.mark.parametrize(
    ("player_id", "boxes", "points"),
    [
        # The player was renamed after the prediction.
        (7, [(7, "paulgeorgejr", 22)], 22),
        # Another player has the name now.
        (7, [(7, "paulgeorgejr", 22), (8, "paulgeorge", 30)], 22),
        (7, [(8, "paulgeorge", 30)], None),
        # The name decides if one of the two has no id.
        (None, [(8, "paulgeorge", 30)], 30),
        (7, [(None, "paulgeorge", 30)], 30),
        (None, [(8, "other", 30)], None),
    ],
)
def test_a_player_is_found_by_id_and_without_an_id_by_name(
    player_id: int | None, boxes: list[tuple[int | None, str, int]], points: int | None
) -> None:
    (row,) = grade([{**prediction(), "player_id": player_id}], boxes_of(*boxes), NOON)
    assert row["actual_points"] == points
    assert row["player_id"] == player_id
