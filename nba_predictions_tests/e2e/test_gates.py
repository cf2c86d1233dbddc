"""Nights whose inputs are not good enough yet: they wait, go on, or are given up, and say so."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.test_utils import freeze_time

from nba_predictions import cli
from nba_predictions.cli.pipeline import Pipeline as PipelineInProcess
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.policies.input_gates import GATES_TAG
from nba_predictions.orchestration.checks import input_gates
from nba_predictions.orchestration.sensors import gate_retry
from nba_predictions.orchestration.sensors.gate_retry import RETRY_INTERVAL
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import (
    GAME_DATE,
    FramesLeague,
    Pipeline,
    check_results,
    errors,
)

NIGHT = GAME_DATE.isoformat()
#: 07:00 US Eastern on the date.
MORNING = datetime(2025, 10, 28, 11, tzinfo=timezone.utc)
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dataclass
class Evening:
    """A pipeline on a day whose clock is ours, and a sensor whose cursor is kept."""

    pipeline: Pipeline
    patch: pytest.MonkeyPatch
    now: datetime = MORNING
    cursor: str | None = None

    def __post_init__(self) -> None:
        for module in (input_gates, gate_retry):
            self.patch.setattr(module, "utc_now", lambda: self.now)

    def predict(self, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        with freeze_time(self.now):
            return self.pipeline.run("nightly_predictions", NIGHT, tags)

    def judge(self) -> dg.ExecuteInProcessResult:
        """Do what comes before the prediction; the gates let it through, or stop it."""
        return self.pipeline.materialize(
            *("game_logs", "schedule", "prop_lines", "injuries", "slate", "player_features")
        )

    def tick(self) -> list[dg.RunRequest]:
        sensor = self.pipeline.definitions.resolve_sensor_def("predict_waiting_nights")
        with dg.build_sensor_context(
            instance=self.pipeline.instance,
            cursor=self.cursor,
            repository_def=self.pipeline.definitions.get_repository_def(),
            resources={"batches": self.pipeline.resources["batches"]},
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return list(data.run_requests or [])


def of_one_game(league: FramesLeague) -> FramesLeague:
    """The league before the books have quoted the second game."""
    home_team = league.games["home_team"][0]
    return replace(league, lines=league.lines.filter(pl.col("home_team") == home_team))


def milestones(capsys: pytest.CaptureFixture[str], *events: str) -> list[dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in told if line["event"] in events]


def test_lines_of_one_game_let_the_night_wait_and_the_rest_of_them_let_it_go(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evening = Evening(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert evening.tick() == []
    stopped = evening.predict()
    assert not stopped.success
    found = check_results(stopped)
    assert {n for n, e in found.items() if not e.passed and e.severity is ERROR} == {
        "every_game_has_lines",
        "enough_players_have_lines",
    }
    said = str(found["every_game_has_lines"].description)
    assert "1 of 2 games have lines of fewer than 3" in said
    assert evening.pipeline.batches.of_date(GAME_DATE) == []
    assert evening.pipeline.judgement().verdict is Verdict.NOT_STARTED

    capsys.readouterr()
    evening.now += RETRY_INTERVAL - timedelta(minutes=1)
    assert evening.tick() == []
    (waits,) = milestones(capsys, "night_waits")
    assert waits["attempts"] == 1
    assert waits["game_date"] == NIGHT
    assert any("every_game_has_lines: 1 of 2 games" in reason for reason in waits["reasons"])
    assert not any("--gates" in reason for reason in waits["reasons"])
    evening.now += timedelta(minutes=1)
    (request,) = evening.tick()
    assert request.partition_key == NIGHT
    assert milestones(capsys, "night_waits") == []

    # Once more in vain: the next attempt has a run_key of its own.
    assert not evening.predict().success
    evening.now += RETRY_INTERVAL
    (again,) = evening.tick()
    assert again.run_key != request.run_key

    evening.pipeline = evening.pipeline.with_league(league)
    assert evening.predict().success
    evening.now += RETRY_INTERVAL
    assert evening.tick() == []
    for published in evening.pipeline.tick():
        assert evening.pipeline.publish(published).success
    assert evening.pipeline.judgement().verdict is Verdict.COMPLETE


def test_at_tip_off_the_night_is_given_up_aloud_and_once(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evening = Evening(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert not evening.predict().success
    tipoff = league.games["tipoff"].min()
    assert isinstance(tipoff, datetime)
    evening.now = tipoff - timedelta(seconds=1)
    assert len(evening.tick()) == 1
    evening.now = tipoff
    assert evening.tick() == []
    assert evening.tick() == []
    (gave_up,) = milestones(capsys, "night_gave_up_waiting")
    assert gave_up["severity"] == "ERROR"
    assert f"nba-predictions run --game-date {NIGHT} --gates warn" in gave_up["message"]
    assert f"{GATES_TAG}=warn" in gave_up["message"]

    # Whoever predicts it as it is says so, and that is kept.
    evening.now += timedelta(minutes=5)
    overridden = evening.predict({GATES_TAG: "warn"})
    assert overridden.success
    found = check_results(overridden)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["gates_set_by"].value == f"the run's tag {GATES_TAG}"
    assert found.metadata["outcome"].value == "warns"


def test_a_daemon_that_slept_over_tip_off_still_says_that_nothing_was_predicted(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evening = Evening(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert not evening.predict().success
    assert evening.tick() == []
    evening.now += timedelta(days=1)
    assert evening.tick() == []
    (gave_up,) = milestones(capsys, "night_gave_up_waiting")
    assert gave_up["game_date"] == NIGHT


def test_a_run_of_another_version_is_waited_for_like_any_other(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening = Evening(make_pipeline(league=of_one_game(league)), monkeypatch)
    monkeypatch.setattr(input_gates, "REASON", "another name")
    assert not evening.predict().success
    evening.now += RETRY_INTERVAL
    assert len(evening.tick()) == 1


def test_set_to_warn_the_night_goes_on_with_warnings(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline(league=of_one_game(league))
    settings = replace(pipeline.resources["settings"], gates="warn")
    evening = Evening(pipeline.with_resources(settings=settings), monkeypatch)
    night = evening.judge()
    assert night.success
    found = check_results(night)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["gates_set_by"].value == "NBA_PREDICTIONS_GATES"


def test_a_past_date_is_predicted_with_a_warning_for_nothing_more_will_come(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening = Evening(make_pipeline(league=of_one_game(league)), monkeypatch)
    evening.now += timedelta(days=1)
    night = evening.judge()
    assert night.success
    found = check_results(night)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert "nothing more will come" in str(found.description)


def test_a_gate_that_breaks_or_a_tag_that_says_nothing_stops_the_night(
    make_pipeline: MakePipeline, league: FramesLeague
) -> None:
    pipeline = make_pipeline()
    strange = pipeline.run("nightly_predictions", NIGHT, {GATES_TAG: "off"})
    assert not strange.success
    assert f"the tag {GATES_TAG}=off is unknown; choose wait or warn" in errors(strange)[0]

    class Mute(FramesLeague):
        def provenance(self, game_date: object) -> Any:
            raise SourceDataError("schedule.csv: cannot be read")

    mute = Mute(league.logs, league.games, league.lines, league.report)
    broken = pipeline.with_league(mute).predict()
    assert not broken.success
    assert any("schedule.csv: cannot be read" in error for error in errors(broken))
    assert pipeline.batches.of_date(GAME_DATE) == []


def test_a_failure_of_another_kind_is_not_waited_for(
    make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(real: Any, *args: Any, **kwargs: Any) -> Any:
        raise SourceDataError("no such table")

    evening = Evening(make_pipeline(), monkeypatch)
    with evening.pipeline.warehouse.broken("prepare", down):
        assert not evening.predict().success
    evening.now += RETRY_INTERVAL
    assert evening.tick() == []


def test_the_command_line_says_which_gate_stopped_the_night_and_how_to_go_on(
    home: Path,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (lines,) = files.glob("points_lines*")
    whole = pl.read_parquet(lines)
    whole.filter(pl.col("home_team") == whole["home_team"][0]).write_parquet(lines)
    monkeypatch.setattr(input_gates, "utc_now", lambda: MORNING)
    assert cli.main(["run", "--game-date", NIGHT]) == 1
    said = capsys.readouterr().err
    assert "slate:every_game_has_lines: 7 of 8 games have lines of fewer than 3 players" in said
    assert "--gates warn" in said
    assert "Traceback" not in said


def test_the_command_line_hands_its_gates_to_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def execute(self: Any, *given: Any) -> bool:
        asked.append(given)
        return False

    monkeypatch.setattr(PipelineInProcess, "execute", execute)
    assert cli.main(["run", "--game-date", NIGHT, "--gates", "warn"]) == 1
    ((job, partition, _, tags),) = asked
    assert (job, partition, tags) == ("nightly_predictions", NIGHT, {GATES_TAG: "warn"})
