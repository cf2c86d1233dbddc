"""The dates of a backfill, what each needs, and how the progress is shown."""

from __future__ import annotations

import io
import json
import sys
from datetime import date
from pathlib import Path

import pytest

from nba_predictions import cli
from nba_predictions.cli.backfill import _progress
from nba_predictions.cli.backfill_dates import (
    Action,
    DateReport,
    Outcome,
    dates_with_games,
    next_action,
)
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.logs import milestone
from nba_predictions.settings import Settings
from nba_predictions_tests.examples import batch

S, V = BatchState, Verdict


def test_the_dates_are_those_with_games_oldest_first_and_include_both_ends() -> None:
    # No games on Thanksgiving.
    league = SimulatedLeague(players_per_team=8, seasons_of_history=0)
    dates = dates_with_games(league, date(2025, 11, 26), date(2025, 11, 28))
    assert dates == [date(2025, 11, 26), date(2025, 11, 28)]
    assert dates_with_games(league, date(2025, 11, 27), date(2025, 11, 27)) == []


@pytest.mark.parametrize(
    ("verdict", "state", "action"),
    [
        (V.NOT_STARTED, None, Action.RUN),
        # The run that opened a batch in progress was usually killed.
        (V.IN_PROGRESS, S.STAGING, Action.RUN),
        (V.STALLED, S.STALLED, Action.RUN),
        (V.STAGED_NOT_MERGED, S.STAGED, Action.RUN),
        (V.MERGED_NOT_PUBLISHED, S.MERGED, Action.RUN),
        (V.MERGED_NOT_PUBLISHED, S.CLEANED, Action.NOTHING),
        (V.PARTIAL, S.FAILED, Action.RUN),
        (V.PARTIAL, S.CLEANED, Action.REPLAY),
        (V.PARTIAL, S.PUBLISHED, Action.REPLAY),
        (V.ROWS_MISSING, S.PUBLISHED, Action.RUN),
        (V.COMPLETE, S.PUBLISHED, Action.NOTHING),
        (V.COMPLETE, S.CLEANED, Action.NOTHING),
    ],
)
def test_a_verdict_decides_what_a_date_needs(
    verdict: Verdict, state: BatchState | None, action: Action
) -> None:
    assert next_action(verdict, None if state is None else batch(state=state)) is action


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


REPORTS = (
    DateReport(date(2025, 10, 28), Outcome.DONE, V.COMPLETE, 1500),
    DateReport(date(2025, 10, 29), Outcome.FAILED, V.PARTIAL, 1400, "2 players failed"),
)


def show_progress(home: Path) -> None:
    settings = Settings(home=home)
    with _progress(settings, len(REPORTS)) as show:
        for report in REPORTS:
            milestone("date_backfilled", str(report.game_date))
            show(report)


def test_a_terminal_shows_a_bar_and_the_log_goes_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    show_progress(tmp_path)
    assert out.getvalue() == ""
    assert "2/2" in err.getvalue()
    assert str(tmp_path / "backfill.log") in err.getvalue()
    logged = (tmp_path / "backfill.log").read_text("utf-8").splitlines()
    assert [json.loads(line)["message"] for line in logged] == ["2025-10-28", "2025-10-29"]


def test_without_a_terminal_each_date_is_a_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_progress(tmp_path)
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "2025-10-28 done rows=1500",
        "2025-10-29 failed rows=1400 2 players failed",
    ]
    assert len([json.loads(line) for line in printed.out.splitlines()]) == 2


def test_a_range_that_ends_before_it_begins_is_an_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backfill", "--from", "2025-11-02", "--to", "2025-11-01"]) == 2
    assert "--from 2025-11-02 is after --to 2025-11-01" in capsys.readouterr().err


def test_both_ends_of_the_range_are_required(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backfill", "--from", "2025-11-02"]) == 2
    assert "Missing option '--to'" in capsys.readouterr().err
