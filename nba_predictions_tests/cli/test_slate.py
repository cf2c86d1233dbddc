"""`nba-predictions slate`: its tables, its JSON and its exit codes. It creates nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nba_predictions.cli import main
from nba_predictions_tests.inputs.folder import Folder, both, game, log, logs

COMMAND = ("slate", "--game-date", "2025-01-10")


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = Folder(tmp_path / "inputs")
    folder.path.mkdir()
    folder.write("player_game_logs.csv", logs())
    folder.write("schedule.csv", [game()])
    folder.write("points_lines.csv", both(24.5))
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(folder.path))
    return folder


def test_the_json_has_the_documented_form(
    folder: Folder, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two players per team are too few, so a gate is below its bar.
    assert main([*COMMAND, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("game_date", "as_of", "source", "games", "players", "skipped", "gates", "inputs"),
        "unmatched",
    ]
    assert set(found["players"][0]) == {
        *("player_lookup", "player_id", "player_name", "team", "game_id", "games_this_season"),
        *("base_line", "line_source", "books", "quotes"),
    }
    (quoted,) = (player for player in found["players"] if player["quotes"])
    assert set(quoted["quotes"][0]) == {"book", "side", "line", "price", "observed_at"}
    assert {gate["result"] for gate in found["gates"]} <= {"pass", "warn", "fail"}
    assert not home.exists()


def test_the_tables_name_what_a_person_looks_for(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("injuries.csv", [{"player": "Denver, Quentin", "status": "Out"}])
    (folder.path / "lines.json").write_text("{}")
    assert main(COMMAND) == 1
    printed = capsys.readouterr().out
    assert "Quentin" in printed
    assert "not read" in printed
    assert "SLATE 2025-01-10 games=1 players=4 with_line=1 skipped=0 unmatched=1" in printed


def test_a_night_that_could_go_ahead_has_the_exit_code_0(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "simulated")
    assert main(["slate"]) == 0


def test_refused_inputs_have_the_exit_code_2(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("player_game_logs.csv", logs(PTS=3))
    assert main(COMMAND) == 2
    assert "player_game_logs.csv, row 1, column PTS" in capsys.readouterr().err


def test_facts_after_the_moment_do_not_exist(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    later = log(11, "Otis Denver", "DEN", "2025-01-08", AST=7, observed_at="2025-01-09T15:00:00Z")
    folder.write("player_game_logs_later.csv", [later])
    for as_of, used in (("2025-01-09T14:00:00Z", 0), ("2025-01-09T16:00:00Z", 1)):
        main([*COMMAND, "--as-of", as_of, "--json"])
        found = json.loads(capsys.readouterr().out)
        assert found["as_of"] == as_of
        (account,) = (each for each in found["inputs"] if each["path"].endswith("later.csv"))
        assert account["used"] == used


@pytest.mark.parametrize("as_of", ["2025-01-09T14:00:00", "noon", "2199-01-01T00:00:00Z"])
def test_a_moment_without_an_offset_or_in_the_future_is_refused(
    folder: Folder, capsys: pytest.CaptureFixture[str], as_of: str
) -> None:
    assert main([*COMMAND, "--as-of", as_of]) == 2
    assert "--as-of" in capsys.readouterr().err
