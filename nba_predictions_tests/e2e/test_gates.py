"""Nights whose inputs are not good enough: they wait, continue with a warning or are abandoned."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.cli.pipeline import Pipeline as PipelineInProcess
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.policies.input_gates import GATES_TAG
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.parsing import Rejected
from nba_predictions.inputs.port import LINES, REPORT
from nba_predictions.orchestration.checks import input_gates
from nba_predictions.orchestration.run_tags import BEGUN_GAMES_TAG
from nba_predictions.orchestration.sensors import gate_retry
from nba_predictions.orchestration.sensors.gate_retry import RETRY_INTERVAL
from nba_predictions_tests.dagster_internals import freeze_time
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
class GatedNight:
    """A pipeline with a clock that the test sets, and the cursor of the retry sensor."""

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

    def evaluate_gates(self) -> dg.ExecuteInProcessResult:
        """Materialize the inputs and evaluate the gates, without predictions."""
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
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in records if line["event"] in events]


def test_a_night_with_lines_of_one_game_waits_until_all_games_have_lines(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gated = GatedNight(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert gated.tick() == []
    stopped = gated.predict()
    assert not stopped.success
    found = check_results(stopped)
    assert {n for n, e in found.items() if not e.passed and e.severity is ERROR} == {
        "every_game_has_lines",
        "enough_players_have_lines",
    }
    description = str(found["every_game_has_lines"].description)
    assert "1 of 2 games have lines of fewer than 3" in description
    assert gated.pipeline.batches.of_date(GAME_DATE) == []
    assert gated.pipeline.audit().verdict is Verdict.NOT_STARTED

    capsys.readouterr()
    gated.now += RETRY_INTERVAL - timedelta(minutes=1)
    assert gated.tick() == []
    (waits,) = milestones(capsys, "night_waits")
    assert waits["attempts"] == 1
    assert waits["game_date"] == NIGHT
    assert any("every_game_has_lines: 1 of 2 games" in reason for reason in waits["reasons"])
    assert not any("--gates" in reason for reason in waits["reasons"])
    gated.now += timedelta(minutes=1)
    (request,) = gated.tick()
    assert request.partition_key == NIGHT
    assert milestones(capsys, "night_waits") == []

    # The retry is blocked too: the next one has another run key.
    assert not gated.predict().success
    gated.now += RETRY_INTERVAL
    (again,) = gated.tick()
    assert again.run_key != request.run_key

    gated.pipeline = gated.pipeline.with_league(league)
    assert gated.predict().success
    gated.now += RETRY_INTERVAL
    assert gated.tick() == []
    for published in gated.pipeline.tick():
        assert gated.pipeline.publish(published).success
    assert gated.pipeline.audit().verdict is Verdict.COMPLETE


def test_a_night_with_an_invalid_row_and_an_unread_file_warns_and_does_not_wait(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = (Rejected("points_lines.csv", 7, "price", "'x' is not a price; write odds"),)
    accounts = (
        InputAccount(LINES, "points_lines.csv", True, 9, 8, rejected=rejected),
        InputAccount(REPORT, "injuries.json", False, note="convert it"),
    )
    gated = GatedNight(make_pipeline(league=replace(league, inputs=accounts)), monkeypatch)
    result = gated.evaluate_gates()
    assert result.success
    found = check_results(result)["rows_are_valid"]
    assert (found.passed, found.severity) == (False, WARN)
    assert "1 row is invalid and set aside: points_lines.csv, row 7, column price: 'x'" in str(
        found.description
    )
    assert "1 file is not read: injuries.json: convert it" in str(found.description)
    (materialization,) = result.asset_materializations_for_node("prop_lines")
    metadata = materialization.metadata
    assert metadata["rejected_rows"].value == 1
    assert "points_lines.csv" in str(metadata["files"].value)
    assert "injuries.json" not in str(metadata["unread_files"].value)


def test_lines_of_an_unknown_market_and_unmatched_names_are_named(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = {"other_market: Player Points": 9}
    accounts = (InputAccount(LINES, "points_lines.csv", True, 9, dropped=dropped),)
    unknown = {"game_date": GAME_DATE, "player_lookup": "norookie", "player_name": "No Rookie"}
    row = pl.DataFrame([unknown | {"status": "OUT"}], schema_overrides={"status": pl.String})
    report = pl.concat([league.report, row], how="diagonal_relaxed")
    changed = replace(league, lines=league.lines.clear(), report=report, inputs=accounts)
    gated = GatedNight(make_pipeline(league=changed), monkeypatch)
    found = check_results(gated.evaluate_gates())
    assert (
        "there are no lines: 9 of 9 rows have the unknown market 'Player Points' "
        "(did you mean player_points?)"
    ) in str(found["lines_are_fresh"].description)
    assert (found["lines_are_fresh"].passed, found["lines_are_fresh"].severity) == (False, ERROR)
    injuries = found["injury_report_is_there"]
    assert (injuries.passed, injuries.severity) == (False, WARN)
    assert "(No Rookie)" in str(injuries.description)


def test_at_tip_off_the_night_is_abandoned_and_logged_once(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gated = GatedNight(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert not gated.predict().success
    tipoff = league.games["tipoff"].min()
    assert isinstance(tipoff, datetime)
    gated.now = tipoff - timedelta(seconds=1)
    assert len(gated.tick()) == 1
    gated.now = tipoff
    assert gated.tick() == []
    assert gated.tick() == []
    (abandoned,) = milestones(capsys, "night_gave_up_waiting")
    assert abandoned["severity"] == "ERROR"
    assert f"nba-predictions run --game-date {NIGHT} --gates warn" in abandoned["message"]
    assert f"{GATES_TAG}=warn" in abandoned["message"]

    # A run with the tags predicts the night anyway, and the check records the tag of the gates.
    gated.now += timedelta(minutes=5)
    overridden = gated.predict({GATES_TAG: "warn", BEGUN_GAMES_TAG: "predict"})
    assert overridden.success
    found = check_results(overridden)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["gates_set_by"].value == f"the run's tag {GATES_TAG}"
    assert found.metadata["outcome"].value == "warns"


def test_a_daemon_that_was_down_at_tip_off_logs_the_abandoned_night_later(
    make_pipeline: MakePipeline,
    league: FramesLeague,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gated = GatedNight(make_pipeline(league=of_one_game(league)), monkeypatch)
    assert not gated.predict().success
    assert gated.tick() == []
    gated.now += timedelta(days=1)
    assert gated.tick() == []
    (abandoned,) = milestones(capsys, "night_gave_up_waiting")
    assert abandoned["game_date"] == NIGHT


def test_a_blocked_run_of_another_version_is_retried_too(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = GatedNight(make_pipeline(league=of_one_game(league)), monkeypatch)
    monkeypatch.setattr(input_gates, "REASON", "another name")
    assert not gated.predict().success
    gated.now += RETRY_INTERVAL
    assert len(gated.tick()) == 1


def test_with_the_setting_warn_the_night_continues_with_warnings(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline(league=of_one_game(league))
    settings = pipeline.resources["settings"].model_copy(update={"gates": "warn"})
    gated = GatedNight(pipeline.with_resources(settings=settings), monkeypatch)
    night = gated.evaluate_gates()
    assert night.success
    found = check_results(night)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["gates_set_by"].value == "NBA_PREDICTIONS_GATES"


def test_a_past_date_is_predicted_with_a_warning(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = GatedNight(make_pipeline(league=of_one_game(league)), monkeypatch)
    gated.now += timedelta(days=1)
    night = gated.evaluate_gates()
    assert night.success
    found = check_results(night)["every_game_has_lines"]
    assert (found.passed, found.severity) == (False, WARN)
    assert "only a warning because the date is past" in str(found.description)


def test_a_gate_that_raises_or_an_unknown_tag_blocks_the_night(
    make_pipeline: MakePipeline, league: FramesLeague
) -> None:
    pipeline = make_pipeline()
    strange = pipeline.run("nightly_predictions", NIGHT, {GATES_TAG: "off"})
    assert not strange.success
    assert f"the tag {GATES_TAG}=off is unknown; choose wait or warn" in errors(strange)[0]

    class UnreadableSchedule(FramesLeague):
        def provenance(self, game_date: object) -> Any:
            raise SourceDataError("schedule.csv: cannot be read")

    unreadable = UnreadableSchedule(league.logs, league.games, league.lines, league.report)
    broken = pipeline.with_league(unreadable).predict()
    assert not broken.success
    assert any("schedule.csv: cannot be read" in error for error in errors(broken))
    assert pipeline.batches.of_date(GAME_DATE) == []


def test_a_failure_of_another_kind_is_not_retried(
    make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(real: Any, *args: Any, **kwargs: Any) -> Any:
        raise SourceDataError("no such table")

    gated = GatedNight(make_pipeline(), monkeypatch)
    with gated.pipeline.warehouse.broken("prepare", down):
        assert not gated.predict().success
    gated.now += RETRY_INTERVAL
    assert gated.tick() == []


def test_the_command_prints_which_gate_blocked_the_night_and_how_to_continue(
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
    err = capsys.readouterr().err
    assert "slate:every_game_has_lines: 7 of 8 games have lines of fewer than 3 players" in err
    assert "--gates warn" in err
    assert "Traceback" not in err


def test_the_command_passes_its_gates_option_to_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def execute(self: Any, *given: Any) -> bool:
        asked.append(given)
        return False

    monkeypatch.setattr(PipelineInProcess, "execute", execute)
    assert cli.main(["run", "--game-date", NIGHT, "--gates", "warn"]) == 1
    ((job, game_date, tags),) = asked
    assert (job, str(game_date), tags) == ("nightly_predictions", NIGHT, {GATES_TAG: "warn"})
