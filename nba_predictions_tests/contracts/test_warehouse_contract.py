"""The contract of a warehouse, checked on every adapter: staging, merges, queries and cleanup."""

import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from google.cloud import bigquery

from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts
from nba_predictions.domain.betting.grading import BoxScore, BoxScores, grade
from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.tables import PREDICTIONS, RESULTS, Column, Table
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions.warehouse.port import StagingTable, Warehouse
from nba_predictions_tests.backends import WarehouseBackend
from nba_predictions_tests.examples import GAME_DATE, NOON, rows_of, slate_player

NOTHING = MergeCounts(0, 0, 0, 0, 0, 0)
LATER = NOON + timedelta(hours=1)
TOMORROW = GAME_DATE + timedelta(days=1)
D = Decimal


@pytest.fixture
def warehouse(warehouse_backend: WarehouseBackend) -> Warehouse:
    return warehouse_backend.warehouse


@pytest.fixture
def table_rows(warehouse_backend: WarehouseBackend) -> Callable[[Table], list[dict[str, Any]]]:
    return warehouse_backend.rows


Read = Callable[[Table], list[dict[str, Any]]]


def stage_and_merge(
    warehouse: Warehouse,
    *rows: dict[str, Any],
    batch_id: str = "batch_1",
    at: Any = NOON,
    sequence: int = 1,
) -> MergeCounts:
    staged = warehouse.stage(PREDICTIONS, batch_id, "someone", rows)
    return warehouse.merge(PREDICTIONS, rows[0]["game_date"], [staged.name], at, sequence)


def lines(rows: list[dict[str, Any]]) -> list[Decimal | None]:
    return [row["points_line"] for row in rows]


def one_system(
    base: str | None, lookup: str = "paulgeorge", **changed: Any
) -> list[dict[str, Any]]:
    return rows_of(slate_player(lookup, base), systems=["ensemble"], **changed)


# ---------------------------------------------------------------------------------- staging


def test_a_staging_table_exists_under_the_returned_name(
    warehouse: Warehouse,
) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    assert staged.rows == 25
    assert warehouse.existing_staging([staged.name, "batch_1/nobody"]) == {staged.name}


def test_the_same_player_of_two_batches_has_two_staging_tables(warehouse: Warehouse) -> None:
    names = {
        warehouse.stage(PREDICTIONS, batch, "paulgeorge", rows_of(slate_player())).name
        for batch in ("batch_1", "batch_2")
    }
    assert warehouse.existing_staging(sorted(names)) == names
    assert len(names) == 2


def test_staging_a_player_again_replaces_the_table(warehouse: Warehouse, table_rows: Read) -> None:
    first = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    again = warehouse.stage(
        PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player(base=None), mean=9.0)
    )
    assert again == StagingTable(first.name, 5)
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [again.name], NOON, 1).rows_staged == 5
    assert {row["predicted_points"] for row in table_rows(PREDICTIONS)} == {D("9.00")}


@pytest.mark.parametrize(
    "bad",
    [
        {"over_probability": float("nan")},
        {"predicted_points": 21.5},
        {"points_line": D("15.55")},
        {"game_id": None},
        {"team": ["PHI"]},
        {"books": 2.5},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_one_invalid_value_prevents_staging(warehouse: Warehouse, bad: dict[str, Any]) -> None:
    rows = rows_of(slate_player())
    with pytest.raises(SchemaMismatchError, match=next(iter(bad))):
        warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", [*rows[:-1], {**rows[-1], **bad}])
    good = warehouse.stage(PREDICTIONS, "batch_1", "other", rows)
    twin = good.name.replace("other", "paulgeorge")
    assert warehouse.existing_staging([good.name, twin]) == {good.name}


def test_an_invalid_row_keeps_the_earlier_staging_table(warehouse: Warehouse) -> None:
    good = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    with pytest.raises(SchemaMismatchError):
        warehouse.stage(
            PREDICTIONS,
            "batch_1",
            "paulgeorge",
            [{**rows_of(slate_player())[0], "predicted_points": None}],
        )
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [good.name], NOON, 1).rows_staged == 25


def test_an_unknown_column_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(SchemaMismatchError, match="shot_zone"):
        stage_and_merge(warehouse, {**one_system(None)[0], "shot_zone": "paint"})


def test_the_merge_refuses_an_unknown_column_of_a_newer_version(
    warehouse: Warehouse, table_rows: Read
) -> None:
    zone = Column("shot_zone", "STRING", "a column of a newer version")
    newer = replace(PREDICTIONS, columns=(*PREDICTIONS.columns, zone))
    rows = [{**row, "shot_zone": "paint"} for row in one_system("22.5")]
    staged = warehouse.stage(newer, "batch_1", "paulgeorge", rows)
    other = warehouse.stage(PREDICTIONS, "batch_1", "other", one_system("9.5", "other"))
    with pytest.raises(SchemaMismatchError, match="shot_zone"):
        warehouse.merge(PREDICTIONS, GAME_DATE, [other.name, staged.name], NOON, 1)
    assert table_rows(PREDICTIONS) == []
    assert warehouse.existing_staging([staged.name, other.name]) == {staged.name, other.name}


def test_an_optional_column_that_an_older_version_lacks_merges_as_null(
    warehouse: Warehouse, table_rows: Read
) -> None:
    kept = tuple(c for c in PREDICTIONS.columns if c.name not in ("confidence", "features_as_of"))
    older = replace(PREDICTIONS, columns=kept)
    rows = [
        {k: v for k, v in row.items() if k not in ("confidence", "features_as_of")}
        for row in one_system(None)
    ]
    staged = warehouse.stage(older, "batch_1", "paulgeorge", rows)
    newest = warehouse.stage(PREDICTIONS, "batch_1", "other", one_system(None, "other"))

    for names in ([staged.name], [staged.name, newest.name]):
        counts = warehouse.merge(PREDICTIONS, GAME_DATE, names, NOON, 1)
        assert counts.affected == len(names)
    found = {row["player_lookup"]: row for row in table_rows(PREDICTIONS)}
    assert found["paulgeorge"]["confidence"] is None
    assert found["paulgeorge"]["features_as_of"] is None
    assert found["other"]["confidence"] == 0.8


def test_tables_that_were_prepared_match_their_definitions(warehouse: Warehouse) -> None:
    assert warehouse.prepare() == []


@pytest.mark.parametrize(
    ("name", "kind", "mode", "problem"),
    [
        ("points_line", "FLOAT64", "NULLABLE", "points_line is FLOAT"),
        ("books", "STRING", "REQUIRED", "books is STRING"),
        ("team", "STRING", "REQUIRED", "team must allow NULL"),
        ("system_id", "STRING", "NULLABLE", "system_id must refuse NULL"),
        ("team_name", "STRING", "NULLABLE", "team_name is unknown"),
    ],
)
def test_a_changed_column_in_bigquery_is_refused_by_name(
    google_cloud_warehouse: WarehouseBackend, name: str, kind: str, mode: str, problem: str
) -> None:
    warehouse = google_cloud_warehouse.warehouse
    assert isinstance(warehouse, BigQueryWarehouse)
    target = warehouse.full_name(PREDICTIONS)
    schema = {field.name: field for field in warehouse.client.get_table(target).schema}
    warehouse.client.delete_table(target)
    schema[name] = bigquery.SchemaField(name, kind, mode=mode)
    warehouse.client.create_table(bigquery.Table(target, list(schema.values())))
    with pytest.raises(SchemaMismatchError, match=f"column {problem}"):
        warehouse.prepare()


def test_a_bigquery_column_that_would_round_lines_is_refused(
    google_cloud_warehouse: WarehouseBackend,
) -> None:
    warehouse = google_cloud_warehouse.warehouse
    assert isinstance(warehouse, BigQueryWarehouse)
    # The stand-in does not store the precision of a column.
    stored = bigquery.Table(warehouse.full_name(PREDICTIONS))
    line = {"name": "points_line", "type": "NUMERIC", "precision": "3", "scale": "0"}
    stored.schema = [bigquery.SchemaField.from_api_repr(line)]
    with pytest.raises(
        SchemaMismatchError, match=r"points_line is NUMERIC\(3, 0\), it must be NUMERIC\(5, 1\)"
    ):
        warehouse._check_columns(PREDICTIONS, stored)


# ---------------------------------------------------------------------------------- merging


def test_a_merge_inserts_every_row_with_exact_values(
    warehouse: Warehouse, table_rows: Read
) -> None:
    (row,) = one_system(None)
    assert stage_and_merge(warehouse, row) == MergeCounts(1, 1, 1, 1, 0, 0)
    del row["staged_at"]
    stamps = {"created_at": NOON, "updated_at": NOON, "write_sequence": 1}
    assert table_rows(PREDICTIONS) == [{**row, **stamps}]


def test_decimals_are_stored_exactly(warehouse: Warehouse, table_rows: Read) -> None:
    rows = one_system("0.5", mean=0.005) + one_system("59.5", "other", mean=199.994)
    stage_and_merge(warehouse, *rows)
    found = table_rows(PREDICTIONS)
    for column in ("points_line", "predicted_points", "base_line"):
        assert {str(r[column]) for r in found} == {str(r[column]) for r in rows}
        assert all(isinstance(r[column], Decimal) for r in found)


def test_a_repeated_merge_changes_only_updated_at(warehouse: Warehouse, table_rows: Read) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    first = warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
    before = table_rows(PREDICTIONS)
    second = warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], LATER, 1)
    after = table_rows(PREDICTIONS)
    assert first == MergeCounts(1, 25, 25, 25, 0, 0)
    assert second == MergeCounts(1, 25, 25, 0, 25, 0)
    assert {row["created_at"] for row in after} == {NOON}
    assert {row["updated_at"] for row in after} == {LATER}
    assert [{**row, "updated_at": NOON} for row in after] == before


def test_a_later_batch_updates_values_and_keeps_id_and_created_at(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()))
    before = {row["prediction_id"]: row for row in table_rows(PREDICTIONS)}
    stage_and_merge(
        warehouse, *rows_of(slate_player(), "batch_2", mean=30.0), batch_id="batch_2", at=LATER
    )
    after = {row["prediction_id"]: row for row in table_rows(PREDICTIONS)}
    assert set(after) == set(before)
    assert {row["batch_id"] for row in after.values()} == {"batch_2"}
    assert {row["predicted_points"] for row in after.values()} == {D("30.00")}
    assert {row["created_at"] for row in after.values()} == {NOON}
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(0, 0)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_2") == TargetCounts(25, 0)


def test_rows_without_a_line_are_updated_by_a_repeated_merge(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player(base=None)))
    again = stage_and_merge(warehouse, *rows_of(slate_player(base=None)), at=LATER)
    assert (again.inserted, again.updated, again.superseded) == (0, 5, 0)
    assert lines(table_rows(PREDICTIONS)) == [None] * 5


def test_rows_without_a_line_are_superseded_when_a_line_appears(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player(base=None)))
    came = stage_and_merge(warehouse, *rows_of(slate_player()), at=LATER)
    assert (came.inserted, came.updated, came.superseded) == (25, 0, 5)
    assert None not in lines(table_rows(PREDICTIONS))


def test_rows_with_a_line_are_superseded_when_the_line_disappears(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()))
    gone = stage_and_merge(warehouse, *rows_of(slate_player(base=None)), at=LATER)
    assert (gone.inserted, gone.updated, gone.superseded) == (5, 0, 25)
    assert lines(table_rows(PREDICTIONS)) == [None] * 5


def test_a_moved_line_supersedes_the_old_one(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *one_system("18.5"))
    moved = stage_and_merge(warehouse, *one_system("19.5"), at=LATER)
    assert (moved.inserted, moved.updated, moved.superseded) == (1, 4, 1)
    assert sorted(lines(table_rows(PREDICTIONS))) == [D(f"{n}.5") for n in range(17, 22)]  # type: ignore[type-var]


def test_lines_half_a_point_apart_are_distinct_keys(warehouse: Warehouse, table_rows: Read) -> None:
    (row,) = one_system(None)
    close = [{**row, "points_line": D(line)} for line in ("15.0", "15.5", "16.0")]
    assert stage_and_merge(warehouse, *close).inserted == 3
    assert stage_and_merge(warehouse, *close, at=LATER).updated == 3
    assert sorted(lines(table_rows(PREDICTIONS))) == [D("15.0"), D("15.5"), D("16.0")]  # type: ignore[type-var]


def test_superseding_does_not_affect_other_players(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *one_system("18.5"), *one_system("9.5", "other"))
    stage_and_merge(warehouse, *one_system("30.5"), at=LATER)
    kept = [r for r in table_rows(PREDICTIONS) if r["player_lookup"] == "other"]
    assert [r["updated_at"] for r in kept] == [NOON] * 5


def test_superseding_does_not_affect_other_systems(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player(base="18.5")))
    counts = stage_and_merge(warehouse, *one_system("30.5"), at=LATER)
    assert (counts.inserted, counts.superseded) == (5, 5)
    kept = [r for r in table_rows(PREDICTIONS) if r["system_id"] != "ensemble"]
    assert len(kept) == 20
    assert {r["updated_at"] for r in kept} == {NOON}


def test_other_dates_are_not_touched(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player(on=TOMORROW), "batch_2"), batch_id="batch_2")
    before = table_rows(PREDICTIONS)
    stage_and_merge(warehouse, *rows_of(slate_player(base="30.5")), at=LATER)
    stage_and_merge(warehouse, *rows_of(slate_player(base=None)), at=LATER)
    assert [r for r in table_rows(PREDICTIONS) if r["game_date"] == TOMORROW] == before
    assert warehouse.count(PREDICTIONS, TOMORROW, "batch_2") == TargetCounts(25, 0)


def test_staged_rows_of_another_date_are_refused(warehouse: Warehouse, table_rows: Read) -> None:
    good = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    stray = warehouse.stage(PREDICTIONS, "batch_1", "stray", rows_of(slate_player(on=TOMORROW)))
    with pytest.raises(SchemaMismatchError, match=f"25 staged rows .*game_date than {GAME_DATE}"):
        warehouse.merge(PREDICTIONS, GAME_DATE, [good.name, stray.name], NOON, 1)
    assert table_rows(PREDICTIONS) == []
    assert warehouse.existing_staging([good.name, stray.name]) == {good.name, stray.name}


def test_other_tables_are_not_touched(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()))
    assert table_rows(RESULTS) == []


def test_duplicate_staged_keys_are_counted_and_the_latest_row_is_merged(
    warehouse: Warehouse, table_rows: Read
) -> None:
    early = one_system(None, mean=10.0)
    late = one_system(None, mean=20.0, staged_at=LATER)
    names = [
        warehouse.stage(PREDICTIONS, "batch_1", name, rows).name
        for name, rows in (("b", late), ("a", early))
    ]
    assert warehouse.merge(PREDICTIONS, GAME_DATE, names, NOON, 1) == MergeCounts(2, 2, 1, 1, 0, 0)
    assert [r["predicted_points"] for r in table_rows(PREDICTIONS)] == [D("20.00")]
    assert stage_and_merge(warehouse, *early, *late, *late).rows_staged == 3


def test_rows_of_five_lines_under_one_key_are_counted_as_one_key(
    warehouse: Warehouse,
) -> None:
    wrong = [{**row, "points_line": D("22.5")} for row in rows_of(slate_player())]
    counts = stage_and_merge(warehouse, *wrong)
    assert (counts.rows_staged, counts.distinct_keys, counts.inserted) == (25, 5, 5)


@pytest.mark.parametrize("names", [[], ["batch_1/nobody"], ["batch_9/nobody", "batch_9/other"]])
def test_a_merge_without_staging_tables_changes_nothing(
    warehouse: Warehouse, table_rows: Read, names: list[str]
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()))
    before = table_rows(PREDICTIONS)
    assert warehouse.merge(PREDICTIONS, GAME_DATE, names, LATER, 1) == NOTHING
    assert table_rows(PREDICTIONS) == before


def test_rows_of_players_not_in_the_slate_are_retired_once(
    warehouse: Warehouse, table_rows: Read
) -> None:
    for lookup in ("paulgeorge", "scratched", "cancelled"):
        stage_and_merge(warehouse, *rows_of(slate_player(lookup)))
    elsewhere = rows_of(slate_player("scratched", on=TOMORROW), "batch_2")
    stage_and_merge(warehouse, *elsewhere, batch_id="batch_2")
    kept = ["newcomer", "paulgeorge"]
    assert warehouse.retire(PREDICTIONS, GAME_DATE, kept, 1) == 50
    left = {(row["game_date"], row["player_lookup"]) for row in table_rows(PREDICTIONS)}
    assert left == {(GAME_DATE, "paulgeorge"), (TOMORROW, "scratched")}
    assert warehouse.retire(PREDICTIONS, GAME_DATE, kept, 1) == 0
    assert len(table_rows(PREDICTIONS)) == 50


def test_a_worker_with_an_earlier_lease_retires_nothing(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player("stays")), sequence=3)
    stage_and_merge(warehouse, *rows_of(slate_player()), sequence=5)
    before = table_rows(PREDICTIONS)
    assert warehouse.retire(PREDICTIONS, GAME_DATE, ["paulgeorge"], 4) == 0
    assert table_rows(PREDICTIONS) == before
    assert warehouse.retire(PREDICTIONS, GAME_DATE, ["paulgeorge"], 5) == 25


def test_a_merge_of_a_worker_with_an_earlier_lease_changes_nothing(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player(base="22.5")), sequence=5)
    stage_and_merge(warehouse, *rows_of(slate_player(on=TOMORROW)), sequence=9)
    before = table_rows(PREDICTIONS)
    # New keys, existing keys, and keys to supersede.
    late = [*rows_of(slate_player(base="23.5")), *rows_of(slate_player("other"))]
    counts = stage_and_merge(warehouse, *late, batch_id="late", at=LATER, sequence=4)
    assert (counts.inserted, counts.updated, counts.superseded) == (0, 0, 0)
    assert counts.distinct_keys == 50
    assert table_rows(PREDICTIONS) == before


def test_rows_carry_the_sequence_of_the_merge_that_wrote_them(
    warehouse: Warehouse, table_rows: Read
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()), sequence=5)
    stage_and_merge(warehouse, *rows_of(slate_player("other")), sequence=7)
    found = {(r["player_lookup"], r["write_sequence"]) for r in table_rows(PREDICTIONS)}
    assert found == {("paulgeorge", 5), ("other", 7)}
    stage_and_merge(warehouse, *rows_of(slate_player()), at=LATER, sequence=7)
    assert {r["write_sequence"] for r in table_rows(PREDICTIONS)} == {7}


def test_a_missing_staging_table_is_visible_in_the_counts(warehouse: Warehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    lost = warehouse.stage(PREDICTIONS, "batch_1", "lost", rows_of(slate_player("lost")))
    warehouse.drop_staging([lost.name])
    counts = warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name, lost.name], NOON, 1)
    assert counts == MergeCounts(1, 25, 25, 25, 0, 0)


def test_a_merge_keeps_the_staging_tables(warehouse: Warehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
    assert warehouse.existing_staging([staged.name]) == {staged.name}


def test_one_merge_reads_1200_staging_tables(warehouse: Warehouse) -> None:
    def stage(number: int) -> str:
        rows = one_system(None, f"player{number}")
        return warehouse.stage(PREDICTIONS, "batch_1", f"player{number}", rows).name

    with ThreadPoolExecutor(warehouse.staging_concurrency) as pool:
        names = list(pool.map(stage, range(1200)))
    assert len(set(names)) == 1200
    assert warehouse.existing_staging(names) == set(names)
    counts = warehouse.merge(PREDICTIONS, GAME_DATE, names, NOON, 1)
    assert counts == MergeCounts(1200, 1200, 1200, 1200, 0, 0)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(1200, 0)
    assert warehouse.drop_staging(names) == 1200
    assert warehouse.existing_staging(names) == set()


def test_concurrent_merges_of_one_date_leave_one_row_per_key(warehouse: Warehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "paulgeorge", rows_of(slate_player()))
    with ThreadPoolExecutor(4) as pool:
        counts = list(
            pool.map(
                lambda n: warehouse.merge(
                    PREDICTIONS, GAME_DATE, [staged.name], NOON + timedelta(seconds=n), n
                ),
                range(4),
            )
        )
    assert sorted(c.inserted for c in counts) == [0, 0, 0, 25]
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(25, 0)


def test_concurrent_merges_of_different_dates_lose_no_rows(warehouse: Warehouse) -> None:
    dates = [GAME_DATE + timedelta(days=n) for n in range(4)]

    def night(on: Any) -> MergeCounts:
        rows = rows_of(slate_player(on=on), f"batch_{on}")
        return stage_and_merge(warehouse, *rows, batch_id=f"batch_{on}")

    with ThreadPoolExecutor(4) as pool:
        assert {c.inserted for c in pool.map(night, dates)} == {25}
    for on in dates:
        assert warehouse.count(PREDICTIONS, on, f"batch_{on}") == TargetCounts(25, 0)


# ---------------------------------------------------------------------------- counting, reading


def test_count_reports_duplicate_keys(
    warehouse: Warehouse, warehouse_backend: WarehouseBackend
) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()), *rows_of(slate_player("other", None)))
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(30, 0)
    warehouse_backend.insert_again(PREDICTIONS)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(60, 30)
    assert warehouse.count(PREDICTIONS, TOMORROW, "batch_1") == TargetCounts(0, 0)


def test_count_distinguishes_created_and_updated_rows_of_a_batch(
    warehouse: Warehouse,
) -> None:
    nothing = warehouse.count(PREDICTIONS, GAME_DATE, "batch_1")
    assert (nothing.created, nothing.last_updated_at) == (0, None)
    stage_and_merge(warehouse, *rows_of(slate_player()))
    again = [
        *rows_of(slate_player(), "batch_2"),
        *rows_of(slate_player("other", None), "batch_2"),
    ]
    stage_and_merge(warehouse, *again, batch_id="batch_2", at=LATER)
    counts = warehouse.count(PREDICTIONS, GAME_DATE, "batch_2")
    assert (counts.batch_rows, counts.created, counts.last_updated_at) == (30, 5, LATER)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").batch_rows == 0


def test_duplicates_are_removed_from_one_date_only(
    warehouse: Warehouse, warehouse_backend: WarehouseBackend, table_rows: Read
) -> None:
    tomorrow = rows_of(slate_player(on=TOMORROW), "batch_2")
    stage_and_merge(warehouse, *rows_of(slate_player()), *rows_of(slate_player("other", None)))
    stage_and_merge(warehouse, *tomorrow, batch_id="batch_2")
    before = sorted(map(repr, table_rows(PREDICTIONS)))
    assert warehouse.remove_duplicates(PREDICTIONS, GAME_DATE) == 0
    assert sorted(map(repr, table_rows(PREDICTIONS))) == before
    warehouse_backend.insert_again(PREDICTIONS)
    assert warehouse.remove_duplicates(PREDICTIONS, GAME_DATE) == 30
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(30, 0)
    assert warehouse.count(PREDICTIONS, TOMORROW, "batch_2") == TargetCounts(50, 25)
    assert warehouse.remove_duplicates(PREDICTIONS, TOMORROW) == 25
    assert sorted(map(repr, table_rows(PREDICTIONS))) == before


def test_rows_are_counted_by_player(warehouse: Warehouse) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()), *rows_of(slate_player("other", None)))
    found = warehouse.query(
        "rows_by_player", PREDICTIONS, partition=GAME_DATE, batch_id="batch_1"
    ).to_pylist()
    assert {row["player_lookup"]: row["row_count"] for row in found} == {
        "paulgeorge": 25,
        "other": 5,
    }


def test_a_named_query_runs_with_its_parameters(warehouse: Warehouse) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()), *rows_of(slate_player("other", None)))
    night = warehouse.query(
        "night_summary", PREDICTIONS, partition=GAME_DATE, batch_id="batch_1"
    ).to_pylist()
    assert [row["system_id"] for row in night] == sorted(row["system_id"] for row in night)
    assert {row["row_count"] for row in night} == {6}
    assert {row["players"] for row in night} == {2}
    assert {row["without_line"] for row in night} == {1}
    assert {row["passes"] for row in night} == {5}
    read = warehouse.query("predictions_of_date", PREDICTIONS, partition=GAME_DATE).to_pylist()
    assert len(read) == 30
    assert warehouse.query("predictions_of_date", PREDICTIONS, partition=TOMORROW).num_rows == 0


def test_a_night_is_summarized_by_system_and_line_and_at_the_base_lines(
    warehouse: Warehouse,
) -> None:
    others = rows_of(slate_player("another"), "batch_2", mean=30.0)
    stage_and_merge(warehouse, *rows_of(slate_player()), *rows_of(slate_player("other", None)))
    stage_and_merge(warehouse, *others, batch_id="batch_2", at=LATER)
    asked = {"partition": GAME_DATE, "batch_id": "batch_1"}
    by_line = warehouse.query("night_by_line", PREDICTIONS, **asked).to_pylist()
    ensemble = [row for row in by_line if row["system_id"] == "ensemble"]
    offsets = [row["line_offset"] for row in ensemble]
    assert sorted(offsets, key=lambda o: (o is not None, o)) == [None, -2.0, -1.0, 0.0, 1.0, 2.0]
    assert all(isinstance(offset, float) for offset in offsets if offset is not None)
    assert {row["row_count"] for row in ensemble} == {row["players"] for row in ensemble} == {1}
    for row in ensemble:
        assert row["mean_points"] == pytest.approx(21.37)
        lineless = row["line_offset"] is None
        assert row["mean_over_probability"] == (None if lineless else 0.5)
        assert (row["passes"], row["without_line"]) == ((0, 1) if lineless else (1, 0))

    at_base = warehouse.query("night_at_base_line", PREDICTIONS, **asked).to_pylist()
    found = {row["player_lookup"]: row for row in at_base if row["system_id"] == "ensemble"}
    assert len(at_base) == 10
    assert set(found) == {"paulgeorge", "other"}
    assert found["paulgeorge"]["base_line"] == D("22.5")
    assert found["other"]["base_line"] is None
    assert found["paulgeorge"]["predicted_points"] == D("21.37")


def test_a_graded_night_counts_each_player_game_once_and_has_the_error_of_the_line(
    warehouse: Warehouse,
) -> None:
    def predicted(on: date, lookup: str, *lines: str | None) -> list[dict[str, Any]]:
        return [
            {
                "prediction_id": f"{on} {lookup} {line}",
                "batch_id": "batch_1",
                "game_date": on,
                "game_id": make_game_id(on, "PHI", "DAL"),
                "player_lookup": lookup,
                "player_id": None,
                "system_id": "ensemble",
                "market": "points",
                "points_line": None if line is None else D(line),
                "system_version": "1",
                "predicted_points": D("24.00"),
                "over_probability": None if line is None else chance,
                "push_probability": None,
                "base_line": None,
                "recommendation": "NO_LINE" if line is None else "OVER",
            }
            for chance, line in zip((0.99, 0.75, 0.7, 0.25, 0.0), lines, strict=False)
        ]

    five = ("20.0", "21.0", "22.0", "23.0", "24.0")
    for on, points in ((GAME_DATE, 22), (TOMORROW, 30)):
        predictions = [
            *predicted(on, "paulgeorge", *five),
            *predicted(on, "lineless", None),
            *predicted(on, "absent", *five),
        ]
        boxes = BoxScores.of(
            [
                (None, "paulgeorge", BoxScore({"points": points}, 30.0)),
                (None, "lineless", BoxScore({"points": 14}, 20.0)),
            ]
        )
        staged = warehouse.stage(RESULTS, f"grading_{on}", "run", grade(predictions, boxes, NOON))
        warehouse.merge(RESULTS, on, [staged.name], NOON, 1)

    (board,) = warehouse.query("graded_night", RESULTS, partition=GAME_DATE).to_pylist()
    assert (board["player_games"], board["did_not_play"], board["with_line"]) == (2, 1, 1)
    assert (board["mean_absolute_error"], board["bias"]) == (6.0, 6.0)
    assert (board["error_with_line"], board["error_of_line"]) == (2.0, 0.0)
    assert (board["calls"], board["calls_right"]) == (4, 2)

    since = {"since": GAME_DATE, "partition": GAME_DATE}
    buckets = warehouse.query("calibration", RESULTS, **since).to_pylist()
    # 22 points: over 20 and 21, a push at 22 (not over), and under the other lines.
    assert [(b["bucket"], b["row_count"], b["came"]) for b in buckets] == [
        (0, 1, 0.0),
        (2, 1, 0.0),
        (7, 2, 0.5),
        (9, 1, 1.0),
    ]
    assert buckets[2]["said"] == pytest.approx(0.725)
    both = warehouse.query("calibration", RESULTS, since=GAME_DATE, partition=TOMORROW)
    assert sum(b["row_count"] for b in both.to_pylist()) == 10

    errors = warehouse.query("error_by_date", RESULTS, since=GAME_DATE, partition=TOMORROW)
    assert [
        (e["game_date"], e["player_games"], e["mean_absolute_error"], e["error_of_line"])
        for e in errors.to_pylist()
    ] == [(GAME_DATE, 1, 2.0, 0.0), (TOMORROW, 1, 6.0, 8.0)]


VOID = {"actual_points": None, "minutes": None, "absolute_error": None, "is_correct": None}


def result(line: str | None, outcome: str, correct: bool | None, **changed: Any) -> dict[str, Any]:
    """A row of `prediction_results`: 24 predicted, 22 scored, an over at 60%."""
    on = changed.get("game_date", GAME_DATE)
    row = {
        "prediction_id": f"{on} {line} {changed.get('player_lookup')}",
        "batch_id": "batch_1",
        "game_date": on,
        "game_id": make_game_id(on, "PHI", "DAL"),
        "player_lookup": "paulgeorge",
        "system_id": "ensemble",
        "market": "points",
        "points_line": None if line is None else D(line),
        "system_version": "1",
        "predicted_points": D("24.00"),
        "over_probability": 0.6,
        "push_probability": 0.0,
        "base_line": D("21.5"),
        "recommendation": "OVER",
        "actual_points": 22,
        "minutes": 30.0,
        "outcome": outcome,
        "absolute_error": 2.0,
        "is_correct": correct,
        "staged_at": NOON,
    }
    return {**row, **changed}


def graded(warehouse: Warehouse, *rows: dict[str, Any]) -> None:
    for on in {row["game_date"] for row in rows}:
        own = [row for row in rows if row["game_date"] == on]
        staged = warehouse.stage(RESULTS, "grading", f"run_{on}", own)
        assert warehouse.merge(RESULTS, on, [staged.name], NOON, 1).inserted == len(own)


def test_the_leaderboard_omits_players_who_did_not_play(warehouse: Warehouse) -> None:
    graded(
        warehouse,
        result("21.5", "OVER", True),
        result("22.0", "PUSH", None, push_probability=0.1),
        result("22.5", "UNDER", False),
        result("9.5", "VOID", None, player_lookup="other", **VOID | {"base_line": D("9.5")}),
    )
    (board,) = warehouse.query("system_performance", RESULTS, partition=GAME_DATE).to_pylist()
    assert (board["player_games"], board["calls"], board["calls_right"]) == (1, 2, 1)
    assert (board["mean_absolute_error"], board["rmse"], board["bias"]) == (2.0, 2.0, 2.0)
    assert (board["with_line"], board["error_with_line"], board["error_of_line"]) == (1, 2.0, 0.5)
    assert board["brier_score"] == pytest.approx((0.4**2 + 0.6**2) / 2)
    assert board["log_loss"] == pytest.approx(-(math.log(0.6) + math.log(0.4)) / 2)
    # The only bet, at the base line, was won.
    assert (board["bets"], board["profit_per_bet"]) == (1, pytest.approx(100 / 110))


def test_the_error_of_a_player_game_counts_once_for_all_tested_lines(warehouse: Warehouse) -> None:
    graded(
        warehouse,
        *[result(line, "OVER", True) for line in ("19.5", "20.5", "21.5")],
        result(
            *(None, "NO_LINE", None),
            player_lookup="other",
            absolute_error=6.0,
            actual_points=18,
            base_line=None,
            over_probability=None,
            push_probability=None,
            recommendation="NO_LINE",
        ),
    )
    (board,) = warehouse.query("system_performance", RESULTS, partition=GAME_DATE).to_pylist()
    assert (board["player_games"], board["mean_absolute_error"], board["with_line"]) == (2, 4.0, 1)


def test_a_push_at_the_base_line_returns_the_stake(warehouse: Warehouse) -> None:
    graded(warehouse, result("22.0", "PUSH", None, base_line=D("22.0"), push_probability=0.1))
    (board,) = warehouse.query("system_performance", RESULTS, partition=GAME_DATE).to_pylist()
    assert (board["bets"], board["profit_per_bet"], board["calls"]) == (1, 0.0, 0)


def test_calibration_is_counted_by_date_and_decile_without_pushes(warehouse: Warehouse) -> None:
    graded(
        warehouse,
        result("21.5", "OVER", True, over_probability=0.65),
        # 0.54 of the 0.9 without the push: 60%.
        result("22.5", "UNDER", False, over_probability=0.54, push_probability=0.1),
        result("22.0", "PUSH", None, over_probability=0.64),
        result("19.5", "OVER", True, over_probability=1.0),
        result("9.5", "VOID", None, player_lookup="other", **VOID),
        result("20.5", "OVER", True, over_probability=0.62, game_date=TOMORROW),
    )
    today = warehouse.query("calibration_by_date", RESULTS, partition=GAME_DATE).to_pylist()
    assert [(r["bin"], r["row_count"], r["overs"]) for r in today] == [(6, 2, 1), (9, 1, 1)]
    assert today[0]["forecast"] == pytest.approx(0.65 + 0.6)
    assert {type(r[c]) for r in today for c in ("bin", "row_count", "overs")} == {int}
    both = warehouse.query("calibration_by_date", RESULTS, partition=TOMORROW).to_pylist()
    assert [(r["game_date"], r["bin"]) for r in both] == [
        *((GAME_DATE, 6), (TOMORROW, 6), (GAME_DATE, 9))
    ]


def test_errors_are_summed_by_date(warehouse: Warehouse) -> None:
    graded(
        warehouse,
        result("21.5", "OVER", True),
        result("22.5", "UNDER", False),
        result("9.5", "OVER", True, player_lookup="second", absolute_error=5.0),
        result("9.5", "VOID", None, player_lookup="other", **VOID),
        result("20.5", "OVER", True, game_date=TOMORROW),
    )

    def errors(since: date, upto: date) -> list[tuple[Any, ...]]:
        found = warehouse.query("drift_by_date", RESULTS, partition=upto, since=since)
        return [tuple(row.values()) for row in found.to_pylist()]

    first = ("points", "ensemble", GAME_DATE, 2, 7.0)
    second = ("points", "ensemble", TOMORROW, 1, 2.0)
    assert errors(GAME_DATE, TOMORROW) == [first, second]
    assert errors(GAME_DATE, GAME_DATE) == [first]
    assert errors(TOMORROW, TOMORROW) == [second]


def test_a_grading_replaces_all_results_of_a_system_on_the_date(
    warehouse: Warehouse, table_rows: Read
) -> None:
    graded(
        warehouse,
        result("21.5", "OVER", True),
        result("9.5", "OVER", True, player_lookup="gone"),
        result("9.5", "OVER", True, player_lookup="kept", system_id="xgboost"),
        result("20.5", "OVER", True, game_date=TOMORROW),
    )
    staged = warehouse.stage(RESULTS, "grading", "again", [result("21.5", "OVER", True)])
    counts = warehouse.merge(RESULTS, GAME_DATE, [staged.name], LATER, 1)
    assert (counts.inserted, counts.updated, counts.superseded) == (0, 1, 1)
    left = {(row["game_date"], row["player_lookup"]) for row in table_rows(RESULTS)}
    assert left == {(GAME_DATE, "paulgeorge"), (GAME_DATE, "kept"), (TOMORROW, "paulgeorge")}


# ---------------------------------------------------------------------------------- cleaning up


def test_drop_staging_counts_the_dropped_tables_and_keeps_the_others(warehouse: Warehouse) -> None:
    a, b, c = (
        warehouse.stage(PREDICTIONS, "batch_1", lookup, one_system(None, lookup)).name
        for lookup in ("a", "b", "c")
    )
    assert warehouse.drop_staging([a, b, "batch_1/nobody"]) == 2
    assert warehouse.existing_staging([a, b, c]) == {c}
    assert warehouse.drop_staging([a, b]) == 0
    assert warehouse.drop_staging([]) == 0


def test_leftover_staging_of_a_batch_can_be_dropped_by_name(warehouse: Warehouse) -> None:
    mine, other = (
        warehouse.stage(PREDICTIONS, batch_id, "a", one_system(None, "a")).name
        for batch_id in ("batch_1", "batch_2")
    )
    left = warehouse.leftover_staging(["batch_1", "batch_3"])
    # A warehouse whose staging expires by itself reports none.
    assert left in ({"batch_1": {mine}}, {})
    warehouse.drop_staging(sorted(left.get("batch_1", {mine})))
    assert warehouse.leftover_staging(["batch_1"]) == {}
    assert warehouse.existing_staging([mine, other]) == {other}


def test_concurrent_cleanups_and_later_staging_do_not_interfere(warehouse: Warehouse) -> None:
    names = [
        warehouse.stage(PREDICTIONS, "batch_1", f"p{n}", one_system(None, f"p{n}")).name
        for n in range(20)
    ]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(warehouse.drop_staging, [names] * 4)) >= 20
    again = warehouse.stage(PREDICTIONS, "batch_1", "p0", one_system(None, "p0"))
    assert warehouse.existing_staging([*names]) == {again.name}


def test_preparing_again_keeps_the_rows(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *rows_of(slate_player()))
    before = table_rows(PREDICTIONS)
    warehouse.prepare()
    assert table_rows(PREDICTIONS) == before
    assert len(before) == 25


def test_a_table_that_does_not_exist_has_no_rows(warehouse_backend: WarehouseBackend) -> None:
    warehouse = warehouse_backend.warehouse
    if isinstance(warehouse, BigQueryWarehouse):
        warehouse.client.delete_table(warehouse.full_name(PREDICTIONS))
    else:
        assert isinstance(warehouse, DuckDBWarehouse)
        with duckdb.connect(str(warehouse.path)) as connection:
            connection.execute(f"DROP TABLE {PREDICTIONS.name}")
    found = warehouse.query("predictions_of_date", PREDICTIONS, partition=GAME_DATE)
    assert found.num_rows == 0
    assert set(found.column_names) <= {c.name for c in PREDICTIONS.columns}
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(0, 0)
    assert warehouse.prepare() != []


def test_a_table_has_the_columns_of_its_definition(warehouse: Warehouse, table_rows: Read) -> None:
    stage_and_merge(warehouse, *one_system(None))
    (row,) = table_rows(PREDICTIONS)
    assert list(row) == [c.name for c in PREDICTIONS.columns]


# ---------------------------------------------------------------- checksums


def checksum(rows: list[dict[str, Any]]) -> int:
    """Return the checksum of rows, computed without SQL."""
    total = 0
    for row in rows:
        text = ""
        for column in PREDICTIONS.staged_columns:
            value = row[column.name]
            if value is None or (column.backfill is not None and value == column.backfill):
                continue
            if column.type == "FLOAT64":
                value = math.floor(abs(value) * 1e9 + 0.5) * (1 if value >= 0 else -1)
            elif column.type.startswith("NUMERIC"):
                value = int(value * 100)
            elif column.type == "TIMESTAMP":
                value = (value - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(
                    microseconds=1
                )
            elif column.type == "BOOL":
                value = str(value).lower()
            text += f"{column.name}={value}|"
        total += int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:11], 16)
    return total


def test_the_checksum_of_a_batch_is_the_same_on_every_engine(warehouse: Warehouse) -> None:
    rows = [*rows_of(slate_player("a")), *rows_of(slate_player("jokić", None))]
    stage_and_merge(warehouse, *rows)
    expected = checksum(rows)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").checksum == expected
    assert warehouse.count(PREDICTIONS, GAME_DATE, "other").checksum == 0
    stage_and_merge(warehouse, *reversed(rows), at=LATER)
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").checksum == expected
    changed = [{**rows[0], "predicted_points": rows[0]["predicted_points"] + D("0.01")}, *rows[1:]]
    stage_and_merge(warehouse, *changed, at=LATER)
    found = warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").checksum
    assert found == checksum(changed) != expected


def test_one_query_returns_the_rows_and_checksums_of_all_dates(warehouse: Warehouse) -> None:
    today, other = one_system("24.5"), one_system(None)
    for row in other:
        row.update(game_date=TOMORROW, batch_id="batch_2")
    stage_and_merge(warehouse, *today)
    stage_and_merge(warehouse, *other, batch_id="batch_2")
    days = {"first": GAME_DATE, "before": TOMORROW + timedelta(days=1)}
    found = warehouse.query("batches_of_table", PREDICTIONS, **days).to_pylist()
    assert {(r["game_date"], r["batch_id"]): (r["batch_rows"], r["checksum"]) for r in found} == {
        (GAME_DATE, "batch_1"): (len(today), checksum(today)),
        (TOMORROW, "batch_2"): (len(other), checksum(other)),
    }
