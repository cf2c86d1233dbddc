import dataclasses
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.betting import predictions
from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import PREDICTIONS, RESULTS, TABLES, Column, Table, prediction_id
from nba_predictions_tests.examples import GAME_DATE, rows_of, slate_player

KEY = (GAME_DATE, "20260101_PHI_DAL", "paulgeorge", "ensemble", "points")


def row(**changed: Any) -> dict[str, Any]:
    return {**rows_of(slate_player())[0], **changed}


def test_an_unknown_column_is_refused_by_name() -> None:
    with pytest.raises(SchemaMismatchError, match=r"shot_zone.*player_prop_predictions.*Nothing"):
        PREDICTIONS.check_columns([*row(), "shot_zone"])


@pytest.mark.parametrize("stamp", ["created_at", "updated_at", "write_sequence"])
def test_stamps_are_the_merges_own_and_never_staged(stamp: str) -> None:
    with pytest.raises(SchemaMismatchError, match=stamp):
        PREDICTIONS.check_columns([*row(), stamp])


@pytest.mark.parametrize("column", [c for c in PREDICTIONS.staged_columns if c.required])
def test_a_missing_required_column_is_refused_by_name(column: Any) -> None:
    with pytest.raises(SchemaMismatchError, match=f"required .*{column.name}.*missing"):
        PREDICTIONS.check_columns([name for name in row() if name != column.name])


def test_a_missing_optional_column_is_fine() -> None:
    optional = {c.name for c in PREDICTIONS.staged_columns if not c.required}
    PREDICTIONS.check_rows([{k: v for k, v in row().items() if k not in optional}])


def test_good_rows_pass() -> None:
    PREDICTIONS.check_rows(rows_of(slate_player()) + rows_of(slate_player(base=None)))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("points_line", 15.5, "is a float; exact columns take decimal.Decimal only"),
        ("points_line", 15, "is a int"),
        ("points_line", Decimal("15.55"), "more than 1 decimals"),
        ("points_line", Decimal("10000"), "does not fit NUMERIC"),
        ("points_line", Decimal("NaN"), "does not fit"),
        ("points_line", Decimal("Infinity"), "does not fit"),
        ("points_line", Decimal("sNaN"), "does not fit"),
        ("predicted_points", Decimal("21.375"), "more than 2 decimals"),
        ("predicted_points", None, "is NULL but the column is required"),
        ("over_probability", float("nan"), "is not a finite float"),
        ("over_probability", float("inf"), "is not a finite float"),
        ("over_probability", 1, "is a int; FLOAT64 takes float only"),
        ("over_probability", Decimal("0.5"), "is a Decimal"),
        ("books", 3.0, "is a float; INT64 takes int only"),
        ("books", 2.5, "is a float"),
        ("books", True, "is a bool"),
        ("team", ["PHI"], "is a list; STRING takes str only"),
        ("team", b"PHI", "is a bytes"),
        ("is_home", 1, "is a int; BOOL takes bool only"),
        ("is_home", "false", "is a str"),
        ("game_date", datetime(2026, 1, 1, tzinfo=timezone.utc), "is a datetime; DATE takes date"),
        ("game_date", "2026-01-01", "is a str"),
        ("features_as_of", datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001
        ("features_as_of", date(2026, 1, 1), "is a date"),
        ("staged_at", None, "is NULL but the column is required"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_row_column_and_value(
    column: str, value: object, words: str
) -> None:
    with pytest.raises(SchemaMismatchError) as refused:
        PREDICTIONS.check_rows([row(), row(**{column: value})])
    assert f"row 2 of player_prop_predictions, column {column}: " in str(refused.value)
    assert words in str(refused.value)
    assert "Nothing was written" in str(refused.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("points_line", Decimal("9999.5")),
        ("points_line", Decimal("-0.5")),
        ("points_line", Decimal("15.50")),
        ("points_line", Decimal("1E+1")),
        ("predicted_points", Decimal("0.00")),
        ("over_probability", 0.0),
        ("over_probability", None),
    ],
)
def test_a_value_that_fits_is_taken(column: str, value: object) -> None:
    PREDICTIONS.check_rows([row(**{column: value})])


def test_a_row_without_staged_at_is_refused() -> None:
    without = row()
    del without["staged_at"]
    with pytest.raises(SchemaMismatchError, match="staged_at"):
        PREDICTIONS.check_rows([without])


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_definition_agrees_with_itself(table: Table) -> None:
    names = [c.name for c in table.columns]
    assert len(set(names)) == len(names)
    assert {*table.key, *table.cluster_by, *table.scope, table.partition_by} <= set(names)
    assert set(table.scope) <= set(table.key)
    assert set(table.stamps) == set(names) - {c.name for c in table.staged_columns}
    assert table.nullable_key == ("points_line",)


def test_results_carry_the_key_of_the_predictions_they_grade() -> None:
    assert RESULTS.key == PREDICTIONS.key


def wider(column: Column) -> Table:
    return dataclasses.replace(PREDICTIONS, columns=(*PREDICTIONS.columns, column))


def test_an_added_column_is_one_line_and_its_value_comes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = wider(Column("player_name", "STRING", "as displayed", source="player.player_name"))
    monkeypatch.setattr(predictions, "PREDICTIONS", table)
    added = rows_of(slate_player("lukadoncic"))
    table.check_rows(added)
    assert {r["player_name"] for r in added} == {"Lukadoncic"}


@pytest.mark.parametrize("source", [None, "player.coach"])
def test_an_added_column_without_a_value_fails_and_is_named(
    monkeypatch: pytest.MonkeyPatch, source: str | None
) -> None:
    table = wider(Column("coach", "STRING", "of the team", source=source))
    monkeypatch.setattr(predictions, "PREDICTIONS", table)
    with pytest.raises(SchemaMismatchError, match=r"column coach of table player_prop_.*source"):
        rows_of(slate_player())


@pytest.mark.parametrize("same", ["15.5", "15.50", "15.500"])
def test_one_line_written_differently_is_one_prediction(same: str) -> None:
    assert prediction_id(*KEY, Decimal(same)) == prediction_id(*KEY, Decimal("15.5"))


def test_neighboring_lines_and_no_line_are_different_predictions() -> None:
    lines = [Decimal("15.5"), Decimal("16.0"), Decimal("15.0"), Decimal("0.0"), None]
    assert len({prediction_id(*KEY, line) for line in lines}) == len(lines)


def test_zero_has_one_id_whatever_its_sign() -> None:
    assert prediction_id(*KEY, Decimal("-0.0")) == prediction_id(*KEY, Decimal("0.0"))


def test_an_id_never_changes() -> None:
    # Written down once. If this fails, every prediction_id in every warehouse has changed.
    assert prediction_id(*KEY, Decimal("22.5")) == "2793c245-2264-5098-80c9-f490c9ed2448"


_KEYS = st.tuples(
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.sampled_from(["20260101_PHI_DAL", "20260101_DAL_PHI", "20260102_PHI_DAL"]),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12),
    st.sampled_from(["moving_average", "ensemble", "xgboost", "ensemble|22.5|rebounds"]),
    st.sampled_from(["points", "rebounds", "threes", "points_rebounds"]),
    st.none() | st.integers(0, 160).map(lambda halves: Decimal(halves) / 2),
)


def test_ids_of_two_markets_differ_and_those_of_points_have_no_market_in_them() -> None:
    # The key of a stored row of points has no market, so its text must not change.
    in_points = prediction_id(*KEY, Decimal("5.5"))
    in_rebounds = prediction_id(*KEY[:-1], "rebounds", Decimal("5.5"))
    assert in_points == "ebfe5e5e-3815-591f-8949-b7981846e79e"
    assert in_rebounds != in_points


@settings(max_examples=200)
@given(_KEYS, _KEYS)
def test_ids_are_the_same_exactly_when_keys_are(a: Any, b: Any) -> None:
    assert (prediction_id(*a) == prediction_id(*b)) == (a == b)
