"""The audit of all past nights: lost and changed rows are noticed once, and repaired."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from nba_predictions import cli
from nba_predictions.domain.policies.alerting import Kind
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.standing_audit import (
    MAX_NIGHTS_WITH_ALERTS,
    Difference,
    StandingAudit,
    audit_past_nights,
    differing_conditions,
)
from nba_predictions.orchestration.run_config import Mode, fan_out
from nba_predictions.orchestration.standing_audit import stored_audit
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import QUIET, FramesLeague, Pipeline, facts
from nba_predictions_tests.examples import NOON

TODAY = date(2026, 11, 30)
TABLE = PREDICTIONS.name


@pytest.fixture(scope="module")
def complete(
    tmp_path_factory: pytest.TempPathFactory, league: FramesLeague, models_in: Path
) -> Path:
    """Return the home of a complete, published night."""
    home = tmp_path_factory.mktemp("complete") / "home"
    pipeline = Pipeline.build(home, league, models_in=models_in)
    assert pipeline.predict().success
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    return home


@pytest.fixture
def night(complete: Path, make_pipeline: MakePipeline, tmp_path: Path) -> Pipeline:
    shutil.copytree(complete, tmp_path / "home")
    return make_pipeline()


def audit(night: Pipeline) -> StandingAudit:
    stores = (night.resources["batches"], night.resources["warehouse"])
    return audit_past_nights(*stores, before=TODAY, run_id="test")


def sql(night: Pipeline, statement: str) -> None:
    with duckdb.connect(str(night.home / "warehouse.duckdb")) as connection:
        connection.execute(statement)


def store_sql(night: Pipeline, statement: str) -> None:
    with closing(sqlite3.connect(night.home / "batches.sqlite")) as connection, connection:
        connection.execute(statement)


def warehouse_lost(night: Pipeline) -> None:
    (night.home / "warehouse.duckdb").unlink()
    DuckDBWarehouse(night.home / "warehouse.duckdb", night.home / "staging").prepare()


def change(column: str, value: str) -> Callable[[Pipeline], None]:
    def changed(night: Pipeline) -> None:
        one = f"(SELECT MIN(prediction_id) FROM {TABLE} WHERE {column} IS NOT NULL)"
        sql(night, f"UPDATE {TABLE} SET {column} = {value} WHERE prediction_id = {one}")

    return changed


DAMAGES: dict[str, tuple[Callable[[Pipeline], None], str]] = {
    "one row deleted": (
        lambda night: sql(
            night,
            f"DELETE FROM {TABLE} WHERE prediction_id = (SELECT MIN(prediction_id) FROM {TABLE})",
        ),
        "1 of 546 rows are missing",
    ),
    "the night deleted": (
        lambda night: sql(night, f"DELETE FROM {TABLE}"),
        "546 of 546 rows are missing",
    ),
    "the warehouse lost": (warehouse_lost, "546 of 546 rows are missing"),
    "a prediction changed": (change("predicted_points", "predicted_points + 0.1"), "changed"),
    "a line changed": (change("points_line", "points_line + 0.3"), "changed"),
    "a text changed": (change("recommendation", "'OVER' || recommendation"), "changed"),
    "a value erased": (change("points_line", "NULL"), "changed"),
    "two rows exchanged": (
        lambda night: sql(
            night,
            f"UPDATE {TABLE} SET predicted_points = 30 - predicted_points "
            f"WHERE system_id = 'moving_average'",
        ),
        "changed",
    ),
}


def test_an_intact_night_does_not_differ(night: Pipeline) -> None:
    found = audit(night)
    assert (found.nights, found.skipped, found.without_checksum) == (1, 0, 0)
    assert found.differences == ()
    # Also after the night was predicted again: its newest batch owns the rows.
    assert night.predict().success
    assert audit(night).differences == ()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_lost_or_changed_row_is_found_and_repaired(night: Pipeline, damage: str) -> None:
    before = facts(night.table())
    harm, problem = DAMAGES[damage]
    harm(night)
    (difference,) = audit(night).differences
    assert problem in difference.problem
    assert night.audit().verdict.value in ("ROWS_MISSING", "ROWS_CHANGED")
    players = sorted({row["player_lookup"] for row in before})
    assert night.run("replay_players", GAME_DATE.isoformat(), config=replaying(players)).success
    assert facts(night.table()) == before
    assert audit(night).differences == ()


def replaying(players: list[str]) -> dict[str, Any]:
    return fan_out(Mode.replay, players=players)


def test_rows_of_a_lost_batch_store_are_reported(night: Pipeline) -> None:
    store_sql(night, "DELETE FROM batches")
    (difference,) = audit(night).differences
    assert difference.problem == "546 rows are of a batch that the batch store does not have"


def test_a_night_of_an_earlier_version_is_only_counted(night: Pipeline) -> None:
    store_sql(
        night,
        "UPDATE ledger SET counts = json_remove(counts, '$.checksum') "
        "WHERE event IN ('merged', 'consolidated')",
    )
    change("predicted_points", "1")(night)
    found = audit(night)
    assert (found.without_checksum, found.differences) == (1, ())
    sql(night, f"DELETE FROM {TABLE} WHERE system_id = 'ensemble'")
    assert len(audit(night).differences) == 1


def test_removed_duplicates_are_no_difference(night: Pipeline) -> None:
    sql(night, f"INSERT INTO {TABLE} SELECT * FROM {TABLE} LIMIT 40")
    assert [d.problem for d in audit(night).differences] == ["40 rows were added to 546"]
    night.resources["warehouse"].remove_duplicates(PREDICTIONS, GAME_DATE)
    assert audit(night).differences == ()


def test_an_alert_is_raised_once_and_cleared_once(
    night: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    sensor = night.definitions.resolve_sensor_def("alert_on_changed_rows")
    cursor: str | None = None

    def tick() -> None:
        nonlocal cursor
        with dg.build_sensor_context(
            instance=night.instance,
            repository_def=night.definitions.get_repository_def(),
            resources={key: night.resources[key] for key in sensor.required_resource_keys},
            cursor=cursor,
        ) as context:
            cursor = sensor.evaluate_tick(context).cursor

    def check() -> list[dict[str, Any]]:
        """Run the daily job and then two ticks; return the alerts."""
        job = night.definitions.resolve_job_def("standing_audit")
        result = job.execute_in_process(instance=night.instance, run_config=QUIET)
        assert result.success
        for _ in range(2):
            tick()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if line["event"] in ("alert_raised", "alert_cleared")]

    assert check() == []
    harm, _ = DAMAGES["a prediction changed"]
    harm(night)
    (raised,) = check()
    assert raised["event"] == "alert_raised"
    assert f"rows of {GAME_DATE} are missing or changed" in raised["message"]
    saved = stored_audit(night.home)
    assert saved is not None and len(saved.differences) == 1
    players = sorted({row["player_lookup"] for row in facts(night.table())})
    assert night.run("replay_players", GAME_DATE.isoformat(), config=replaying(players)).success
    (cleared,) = check()
    assert cleared["event"] == "alert_cleared"


def test_a_lost_table_is_one_alert() -> None:
    nights = [GAME_DATE + timedelta(days=n) for n in range(MAX_NIGHTS_WITH_ALERTS + 1)]
    lost = StandingAudit(NOON, 11, 0, 0, tuple(Difference(d, f"b{d}", 100, 0) for d in nights))
    (condition,) = differing_conditions(lost)
    assert condition.kind is Kind.CHANGED_ROWS
    assert condition.title == "rows of 11 past nights are missing or changed"
    few = replace(lost, differences=lost.differences[:3])
    assert len(differing_conditions(few)) == 3


def test_the_table_is_queried_once_for_any_number_of_nights(night: Pipeline) -> None:
    calls: list[str] = []

    def query(real: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return real(name, *args, **kwargs)

    assert night.predict(date(2025, 11, 27)).success
    with night.warehouse.broken("query", query), night.warehouse.broken("count", query):
        assert audit(night).nights == 2
    assert calls == ["batches_of_table"]


def test_the_command_compares_all_nights(
    home: Path, complete: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(complete, home)
    assert cli.main(["audit", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "NIGHTS compared=1 skipped=0 without_checksum=0 differing=0"
    )
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(f"UPDATE {TABLE} SET predicted_points = 1 WHERE system_id = 'ensemble'")
    assert cli.main(["audit", "--all"]) == 1
    *_, line, last = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{GAME_DATE} batch_{GAME_DATE}_")
    assert line.endswith("the values of its 546 rows were changed")
    assert last == "NIGHTS compared=1 skipped=0 without_checksum=0 differing=1"
