"""Which dates a backfill takes, what each needs, and how its progress is shown."""

from __future__ import annotations

import io
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nba_predictions import cli
from nba_predictions.cli.backfill import _progress
from nba_predictions.cli.backfill_runner import (
    DateReport,
    Outcome,
    Todo,
    dates_with_games,
    what_to_do,
)
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.logs import milestone
from nba_predictions.settings import Settings
from nba_predictions_tests.examples import batch

S, V = BatchState, Verdict


def test_the_dates_are_those_with_games_both_ends_included_oldest_first() -> None:
    # No games on Thanksgiving.
    league = SimulatedLeague(players_per_team=8, seasons_of_history=0)
    found = dates_with_games(league, date(2025, 11, 26), date(2025, 11, 28))
    assert found == [date(2025, 11, 26), date(2025, 11, 28)]
    assert dates_with_games(league, date(2025, 11, 27), date(2025, 11, 27)) == []


@pytest.mark.parametrize(
    ("verdict", "state", "todo"),
    [
        (V.NOT_STARTED, None, Todo.RUN),
        # The run of a batch that was in progress a minute ago has, as a rule, been killed.
        (V.IN_PROGRESS, S.STAGING, Todo.RUN),
        (V.STALLED, S.STALLED, Todo.RUN),
        (V.STAGED_NOT_MERGED, S.STAGED, Todo.RUN),
        (V.CONSOLIDATED_NOT_PUBLISHED, S.CONSOLIDATED, Todo.RUN),
        (V.CONSOLIDATED_NOT_PUBLISHED, S.CLEANED, Todo.NOTHING),
        (V.PARTIAL, S.FAILED, Todo.RUN),
        (V.PARTIAL, S.CLEANED, Todo.REPLAY),
        (V.PARTIAL, S.PUBLISHED, Todo.REPLAY),
        (V.ROWS_MISSING, S.PUBLISHED, Todo.RUN),
        (V.COMPLETE, S.PUBLISHED, Todo.NOTHING),
        (V.COMPLETE, S.CLEANED, Todo.NOTHING),
    ],
)
def test_a_date_gets_what_its_verdict_calls_for(
    verdict: Verdict, state: BatchState | None, todo: Todo
) -> None:
    assert what_to_do(verdict, None if state is None else batch(state=state)) is todo


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


REPORTS = (
    DateReport(date(2025, 10, 28), Outcome.DONE, V.COMPLETE, 1500),
    DateReport(date(2025, 10, 29), Outcome.FAILED, V.PARTIAL, 1400, "2 players failed"),
)


def show(home: Path) -> None:
    settings = Settings("embedded", "simulated", None, home, 0.9)
    with _progress(settings, len(REPORTS)) as tell:
        for done in REPORTS:
            milestone("date_backfilled", str(done.game_date))
            tell(done)


def test_on_a_terminal_there_is_a_bar_and_the_log_is_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    show(tmp_path)
    assert out.getvalue() == ""
    assert "2/2" in err.getvalue()
    assert str(tmp_path / "backfill.log") in err.getvalue()
    logged = (tmp_path / "backfill.log").read_text("utf-8").splitlines()
    assert [json.loads(line)["message"] for line in logged] == ["2025-10-28", "2025-10-29"]


def test_elsewhere_there_is_a_line_for_each_date_beside_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(tmp_path)
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "2025-10-28 done rows=1500",
        "2025-10-29 failed rows=1400 2 players failed",
    ]
    assert len([json.loads(line) for line in said.out.splitlines()]) == 2


def test_a_range_that_ends_before_it_begins_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backfill", "--from", "2025-11-02", "--to", "2025-11-01"]) == 2
    assert "--from 2025-11-02 is after --to 2025-11-01" in capsys.readouterr().err


def test_the_range_is_needed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Any = ["backfill", "--from", "2025-11-02"]
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert "--to" in capsys.readouterr().err
