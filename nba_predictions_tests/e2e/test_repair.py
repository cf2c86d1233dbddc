"""Damage to a finished night: the audit names it, and the command `repair` fixes it."""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions_tests.e2e.pipeline import GAME_DATE, facts, systems_raising
from nba_predictions_tests.leagues import small_league

NIGHT = GAME_DATE.isoformat()


class Damaged:
    """The home of a night that a test damages and inspects directly."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Run a command; return its exit code and its output without milestones."""
        self._capsys.readouterr()
        code = cli.main(arguments)
        printed = self._capsys.readouterr().out.splitlines()
        # Milestones are JSON objects on one line.
        return code, [line for line in printed if line and not line.startswith('{"')]

    def audit(self) -> dict[str, Any]:
        self._capsys.readouterr()
        cli.main(["audit", "--game-date", NIGHT, "--json"])
        audit: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return audit

    def repair(self) -> tuple[int, list[str]]:
        return self.run("repair", "--game-date", NIGHT, "--yes")

    def sql(self, sql: str) -> None:
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
            connection.execute(sql)

    def store_sql(self, sql: str) -> None:
        with closing(sqlite3.connect(self.home / "batches.sqlite")) as connection, connection:
            connection.execute(sql)

    def table(self) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
            found = connection.sql("SELECT * FROM player_prop_predictions").to_arrow_table()
        frame = pl.DataFrame(found)
        return facts(frame.sort("game_date", "player_lookup", "system_id", "points_line"))

    def messages(self) -> list[str]:
        with closing(sqlite3.connect(self.home / "outbox.sqlite")) as connection:
            found = connection.execute("SELECT dedup_id FROM outbox ORDER BY position").fetchall()
        return [dedup_id for (dedup_id,) in found]


@pytest.fixture(scope="module")
def complete_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("complete")


@pytest.fixture
def night(
    home: Path, files: Path, complete_home: Path, capsys: pytest.CaptureFixture[str]
) -> Damaged:
    """Return a copy of a complete night, which is predicted once."""
    if not (complete_home / "home").exists():
        assert cli.main(["run", "--game-date", NIGHT]) == 0
        shutil.copytree(home, complete_home / "home")
    else:
        shutil.copytree(complete_home / "home", home)
    return Damaged(home, capsys)


def rows_deleted(night: Damaged) -> None:
    night.sql("DELETE FROM player_prop_predictions WHERE player_lookup LIKE 'a%'")


def all_rows_deleted(night: Damaged) -> None:
    night.sql("DELETE FROM player_prop_predictions")


def keys_inserted_again(night: Damaged) -> None:
    night.sql("INSERT INTO player_prop_predictions SELECT * FROM player_prop_predictions LIMIT 40")


def message_never_sent(night: Damaged) -> None:
    night.store_sql("DELETE FROM ledger WHERE event = 'published'")
    night.store_sql("UPDATE batches SET state = 'cleaned'")
    with closing(sqlite3.connect(night.home / "outbox.sqlite")) as connection, connection:
        connection.execute("DELETE FROM outbox")


def state_says_published_but_nothing_was(night: Damaged) -> None:
    message_never_sent(night)
    night.store_sql("UPDATE batches SET state = 'published'")


def completion_without_staging(night: Damaged) -> None:
    night.store_sql(
        "UPDATE completions SET sequence = (SELECT last FROM sequences) + 1 "
        "WHERE player_lookup = (SELECT MIN(player_lookup) FROM completions WHERE row_count > 0)"
    )


def back_to_staged(night: Damaged) -> None:
    """Undo the merge. The staging tables no longer exist."""
    night.sql("DELETE FROM player_prop_predictions")
    night.store_sql("DELETE FROM ledger WHERE event IN ('merged', 'cleaned', 'published')")
    night.store_sql("UPDATE batches SET state = 'staged'")


def stalled_in_the_middle(night: Damaged) -> None:
    back_to_staged(night)
    night.store_sql("DELETE FROM completions WHERE player_lookup > 'm'")
    night.store_sql("UPDATE batches SET state = 'stalled'")


def stale_lease(night: Damaged) -> None:
    back_to_staged(night)
    night.store_sql(
        "INSERT OR REPLACE INTO leases VALUES "
        f"('{NIGHT}', 'dead-run:batch', 7, '2020-01-01T00:00:00.000000+00:00')"
    )


DAMAGE: dict[Callable[[Damaged], None], tuple[str, str]] = {
    rows_deleted: ("ROWS_MISSING", r"the target holds \d+ rows of this batch, \d+ were recorded"),
    all_rows_deleted: ("ROWS_MISSING", r"the target holds 0 rows of this batch"),
    keys_inserted_again: ("DUPLICATE_KEYS", r"40 keys of the date are duplicated"),
    message_never_sent: ("CONSOLIDATED_NOT_PUBLISHED", r"is cleaned"),
    state_says_published_but_nothing_was: ("CONSOLIDATED_NOT_PUBLISHED", r"is published"),
    completion_without_staging: (
        "STAGED_NOT_MERGED",
        r"1 staging tables are not merged .*, 0 of them exist; missing: \w+",
    ),
    back_to_staged: (
        "STAGED_NOT_MERGED",
        r"\d+ staging tables are not merged .*, 0 of them exist; missing: .*",
    ),
    stalled_in_the_middle: ("STALLED", r"is stalled"),
    stale_lease: ("STAGED_NOT_MERGED", r"dead-run:batch never released the lease"),
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_named_and_repaired_and_a_second_repair_changes_nothing(
    night: Damaged, damage: Callable[[Damaged], None]
) -> None:
    complete_table, sent = night.table(), night.messages()
    damage(night)
    verdict, fact = DAMAGE[damage]
    audit = night.audit()
    assert audit["verdict"] == verdict
    assert re.search(fact, " | ".join(audit["facts"])), audit["facts"]

    code, printed = night.repair()
    assert code == 0, printed
    assert " COMPLETE players=" in printed[-2]
    assert printed[-1] == "nothing to repair"
    assert night.table() == complete_table
    # Messages with new dedup_ids may be added.
    assert set(sent) <= set(night.messages())
    assert list((night.home / "staging").rglob("*.parquet")) == []

    before = night.messages()
    code, printed = night.repair()
    assert (code, printed[-1]) == (0, "nothing to repair")
    assert len(printed) == 2
    assert (night.table(), night.messages()) == (complete_table, before)


def test_a_refused_confirmation_changes_nothing(
    night: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_deleted(night)
    damaged = night.table()
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or "n")  # type: ignore[func-returns-value]
    code, printed = night.run("repair", "--game-date", NIGHT)
    assert (code, printed[-1]) == (1, "nothing was changed")
    assert asked == ["Do it? [y/N] "]
    assert night.table() == damaged
    assert any(line.strip() == "1. predict players again, merge and clean up" for line in printed)


def test_a_missing_confirmation_changes_nothing(
    night: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_deleted(night)
    damaged = night.table()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, printed = night.run("repair", "--game-date", NIGHT)
    assert code == 1
    assert printed[-2:] == [
        "there is no answer on standard input; use --yes to repair without confirmation",
        "nothing was changed",
    ]
    assert night.table() == damaged


def test_a_date_that_was_never_predicted_is_predicted(night: Damaged) -> None:
    code, printed = night.run("repair", "--game-date", "2025-11-27", "--yes")
    assert printed[0] == "NO BATCH OF 2025-11-27 NOT_STARTED"
    assert code == 0
    assert "BATCH batch_2025-11-27_" in printed[-2]


def test_a_repair_that_does_not_help_is_tried_once(
    night: Damaged,
) -> None:
    before = night.table()
    rows_deleted(night)
    with systems_raising({row["player_lookup"] for row in before}):
        code, printed = night.repair()
    assert code == 1
    assert printed[-1].startswith("this did not help: ")
    assert night.audit()["verdict"] == "ROWS_MISSING"


@pytest.mark.parametrize("asset", ["slate", "player_features", "prediction_models", "models"])
def test_a_replay_with_damaged_inputs_becomes_a_run_of_the_night(
    night: Damaged, asset: str
) -> None:
    before = night.table()
    rows_deleted(night)
    folder = night.home / "models" if asset == "models" else night.home / "assets" / asset
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    code, printed = night.repair()
    assert code == 0, printed
    assert any(str(path) in line for line in printed)
    assert night.table() == before
    assert night.audit()["verdict"] == "COMPLETE"


@pytest.mark.parametrize("name", ["batches.sqlite", "warehouse.duckdb"])
def test_a_damaged_database_is_named_with_the_fix(
    night: Damaged, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = night.home / name
    path.write_bytes(b"not a database " * 1000)
    for log in night.home.glob(f"{name}-*"):
        # The write-ahead log has a copy of what was written last.
        log.unlink()
    for command in ("run", "audit", "repair"):
        assert cli.main([command, "--game-date", NIGHT]) != 0
        error = capsys.readouterr().err
        assert str(path) in error
        assert "restore it from a backup" in error
        assert "Traceback" not in error


def test_dead_letters_are_listed_and_replayed(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Damaged(home, capsys)
    lines = small_league()
    quoted = lines.prop_lines(GAME_DATE)["player_lookup"].unique().sort().to_list()
    monkeypatch.setenv("NBA_PREDICTIONS_COMPLETION_THRESHOLD", "0.5")
    with systems_raising(set(quoted[-3:])):
        code, printed = night.run("run", "--game-date", NIGHT)
        batch_id, verdict = printed[-1].split()[1:3]
        assert (code, verdict) == (1, "PARTIAL")

        code, letters = night.run("dead-letters")
        failed = [line.split()[2] for line in letters[:-1]]
        assert code == 0
        assert failed == sorted(failed)
        assert set(failed) <= set(quoted[-3:])
        for line in letters[:-1]:
            assert re.match(rf"{NIGHT} {batch_id} \w+  FloatingPointError: no forecast ", line)
        assert letters[-1] == f"DEAD LETTERS waiting={len(failed)}"
        other_date = night.run("dead-letters", "--game-date", "2025-11-27")
        assert other_date == (0, ["DEAD LETTERS waiting=0"])

        code, printed = night.run("replay", "--batch", batch_id)
        assert (code, printed[-1].split()[2]) == (1, "PARTIAL")

    assert len(failed) > 1
    code, printed = night.run("replay", "--batch", batch_id, "--player", failed[0])
    code, letters = night.run("dead-letters")
    assert letters[0].endswith("predicted since")
    assert letters[-1] == f"DEAD LETTERS waiting={len(failed) - 1}"
    code, printed = night.run("replay", "--batch", batch_id)
    assert (code, printed[-1].split()[2]) == (0, "COMPLETE")
    assert night.run("dead-letters")[1][-1] == "DEAD LETTERS waiting=0"


@pytest.mark.parametrize("command", ["audit", "replay"])
def test_an_unknown_batch_is_named(
    night: Damaged, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--batch", "batch_x"]) == 2
    assert "no batch 'batch_x' exists" in capsys.readouterr().err


def test_a_batch_is_audited_by_id_also_after_it_was_superseded(
    night: Damaged,
) -> None:
    first = night.audit()["batch_id"]
    assert night.run("run", "--game-date", NIGHT)[0] == 0
    second = night.audit()["batch_id"]
    assert second != first
    code, printed = night.run("audit", "--batch", second)
    assert (code, printed[-1].split()[2]) == (0, "COMPLETE")
    code, printed = night.run("audit", "--batch", first, "--json")
    audit = json.loads("\n".join(printed))
    assert (code, audit["batch_id"], audit["verdict"]) == (0, first, "COMPLETE")
    assert f"its rows now belong to {second}" in audit["facts"]


def test_a_threshold_is_changed_by_a_repair_and_recorded(
    home: Path,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run resumes the batch with the threshold of its creation, and says so."""
    night = Damaged(home, capsys)
    player = sorted(small_league().prop_lines(GAME_DATE)["player_lookup"])[0]
    with systems_raising({player}):
        for setting, words in (("0.999", "of this batch"), ("0.5", "keeps its completion thresh")):
            monkeypatch.setenv("NBA_PREDICTIONS_COMPLETION_THRESHOLD", setting)
            assert cli.main(["run", "--game-date", NIGHT]) == 1
            printed = capsys.readouterr()
            assert words in printed.out + printed.err
            assert "99.9%" in printed.out + printed.err
        before = night.audit()
        assert before["batch_id"] not in night.messages()
        assert "below the threshold of 99.9% of this batch" in before["facts"][-1]

        monkeypatch.setattr("builtins.input", lambda question: "n")
        assert night.run("repair", "--game-date", NIGHT, "--threshold", "0.5")[0] == 1
        assert night.audit()["facts"] == before["facts"]

        night.run("repair", "--game-date", NIGHT, "--threshold", "0.5", "--yes")
    after = night.audit()
    assert after["batch_id"] == before["batch_id"]
    assert (after["state"], after["status"]) == ("published", "partial")
    assert after["batch_id"] in night.messages()
    with closing(sqlite3.connect(home / "batches.sqlite")) as connection:
        ((counts,),) = connection.execute(
            "SELECT counts FROM ledger WHERE event = 'threshold_changed'"
        ).fetchall()
    assert json.loads(counts) == {"from": 0.999, "to": 0.5}
    assert night.repair()[1][-2].startswith(f"BATCH {after['batch_id']} COMPLETE")


def test_a_threshold_of_a_date_without_a_batch_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["repair", "--game-date", NIGHT, "--threshold", "0.5"]) == 2
    assert f"{NIGHT} has no batch in {home}" in capsys.readouterr().err
    assert not home.exists()
