"""The command `backtest`: its output, its files and its errors."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest

from nba_predictions import cli
from nba_predictions_tests.backtest.conftest import LAST, LEAGUE, NIGHT, Walked
from nba_predictions_tests.leagues import write_files


@pytest.fixture
def league(home: Path, walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with files of the small league; the home has its models already."""
    folder = tmp_path / "files"
    # From the first game on, because line updates are learned from the lines of past dates.
    dates = set(LEAGUE.game_logs(LAST)["game_date"]) | {LAST}
    write_files(LEAGUE, folder, ["2025-26"], logs_before=LAST + timedelta(days=1), dates=dates)
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(folder))
    home.mkdir()
    (home / "models").symlink_to(walked.store.folder)
    return folder


def ask(*more: str, first: str = NIGHT.isoformat(), last: str = LAST.isoformat()) -> int:
    always = ("--min-games", "1", "--min-minutes", "0", "--retrain", "never")
    return cli.main(["backtest", "--from", first, "--to", last, *always, *more])


def test_the_command_prints_the_tables_and_one_last_line_and_writes_the_report(
    league: Path, walked: Walked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(walked.store.folder.iterdir())
    assert ask("--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("BACKTEST rows=")
    for title in ("Errors, all rows", "Errors, rows with a line", "Probabilities", "Bets"):
        assert f"\n{title}" in said.out
    # Without a terminal there is no progress bar.
    assert said.err == ""
    assert (tmp_path / "out" / "report.html").is_file()
    assert sorted(walked.store.folder.iterdir()) == before


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_command_shows_its_progress(
    league: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    assert ask("--systems", "ensemble") == 0
    assert "models" in terminal.getvalue()
    assert capsys.readouterr().out.splitlines()[-1].startswith("BACKTEST rows=")


@pytest.mark.parametrize(
    ("more", "dates", "says"),
    [
        (["--systems", "ensemble,lightgbm"], {}, "lightgbm: no such system; choose from"),
        ([], {"first": "2025-08-01", "last": "2025-08-31"}, "no game was played from 2025-08-01"),
        ([], {"last": "2025-01-01"}, "is after --to 2025-01-01; exchange them"),
        (["--min-games", "60"], {}, "lower --min-games and --min-minutes"),
    ],
)
def test_an_error_is_one_line(
    league: Path,
    more: list[str],
    dates: dict[str, str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask(*more, **dates) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
