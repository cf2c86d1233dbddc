"""The command `import`: what it prints, its exit code, and the files that it writes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions_tests.inputs.importing.payloads import (
    imported,
    league_game_log,
    odds_event,
    prizepicks,
    projection,
    rows_of,
    write,
)


def run(tmp_path: Path, *options: str, **documents: object) -> int:
    paths = write(tmp_path / "downloads", **documents)
    return cli.main(["import", *map(str, paths), "--to", str(tmp_path / "league"), *options])


def files_in(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "league").iterdir())


def test_it_prints_one_line_per_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = prizepicks(projection(1), projection(2, status="in_progress"))
    assert run(tmp_path, event=odds_event(), board=board) == 0
    event, line = capsys.readouterr().out.splitlines()
    folder = tmp_path / "downloads"
    assert event.startswith(
        f"{folder / 'event.dat'}: odds_api points_lines 4 rows (without 1 not_of_a_player) -> "
    )
    assert line.startswith(f"{folder / 'board.dat'}: prizepicks points_lines 2 rows (without 1 in")
    names = files_in(tmp_path)
    assert [name[:30] for name in names] == [
        "points_lines_20250110T160211Z_",
        "points_lines_20250110T163129Z_",
    ]
    assert all(name in event + line for name in names)


def test_the_same_file_is_written_once(tmp_path: Path) -> None:
    assert run(tmp_path, event=odds_event()) == 0
    (name,) = files_in(tmp_path)
    path = tmp_path / "league" / name
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert run(tmp_path, event=odds_event(), copy=odds_event()) == 0
    assert files_in(tmp_path) == [name]
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_other_content_under_the_same_name_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, event=odds_event()) == 0
    (name,) = files_in(tmp_path)
    (tmp_path / "league" / name).write_bytes(b"mine")
    assert run(tmp_path, event=odds_event()) == 2
    assert "exists and has other content or is damaged" in capsys.readouterr().err
    assert (tmp_path / "league" / name).read_bytes() == b"mine"


def test_a_file_that_cannot_be_imported_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.json")
    paths = write(tmp_path / "downloads", bad="{}", good=odds_event())
    to = ["--to", str(tmp_path / "league")]
    assert cli.main(["import", missing, *map(str, paths), *to]) == 2
    printed = capsys.readouterr()
    assert f"nba-predictions: {missing}: cannot be read (No such file or directory)" in printed.err
    assert f"nba-predictions: {paths[0]}: it is a JSON object with nothing" in printed.err
    assert printed.out.startswith(f"{paths[1]}: odds_api points_lines 4 rows")
    assert len(files_in(tmp_path)) == 1


def test_rows_that_are_set_aside_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = prizepicks(projection(1), projection(2, line_score="high"))
    assert run(tmp_path, board=board) == 0
    printed = capsys.readouterr()
    assert "2 rows (without 1 invalid)" in printed.out
    assert "set aside: data[1].attributes.line_score: 'high' is not a number" in printed.err


def test_observed_at_is_for_files_without_a_moment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, log=league_game_log()) == 0
    assert "; the moment of the facts is not known: --observed-at makes" in capsys.readouterr().out
    assert run(tmp_path, "--observed-at", "2025-01-11T07:00:00-05:00", log=league_game_log()) == 0
    assert "is not known" not in capsys.readouterr().out
    without, with_moment = sorted(files_in(tmp_path), key=len)
    assert without.startswith("player_game_logs_20250110_")
    assert with_moment.startswith("player_game_logs_20250111T120000Z_")
    assert "observed_at" not in pl.read_parquet(tmp_path / "league" / without).columns


@pytest.mark.parametrize("text", ["2025-01-11T07:00:00", "yesterday", "2025-01-11"])
def test_observed_at_needs_a_time_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run(tmp_path, "--observed-at", text, log=league_game_log()) == 2
    assert f"{text!r} is not a time with a time zone" in capsys.readouterr().err
    assert not (tmp_path / "league").exists()


def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--kind", "schedule", event=odds_event()) == 2
    assert "which is points_lines and not schedule; omit --kind" in capsys.readouterr().err


def test_the_target_must_be_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "league").write_text("a file", "utf-8")
    assert run(tmp_path, event=odds_event()) == 1
    assert "is not a folder; choose another one for --to" in capsys.readouterr().err


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    outcomes = imported(tmp_path, schedule=odds_event(), injuries=odds_event())
    assert rows_of(outcomes["schedule"]).equals(rows_of(outcomes["injuries"]))
