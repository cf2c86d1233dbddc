"""A night that failed for a reason that passes: a sensor retries it, until the first tip-off."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.orchestration.checks import input_gates
from nba_predictions.orchestration.run_tags import RETRY_TAG
from nba_predictions.orchestration.sensors import night_retry
from nba_predictions.orchestration.sensors.night_retry import FIRST_PAUSE, LONGEST_PAUSE
from nba_predictions_tests.dagster_internals import freeze_time
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import GAME_DATE, FramesLeague, Pipeline, facts

NIGHT = GAME_DATE.isoformat()
#: 07:00 US Eastern on the date.
MORNING = datetime(2025, 10, 28, 11, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


@dataclass
class RetriedNight:
    """A pipeline with a clock that the test sets, and the cursor of the sensor."""

    pipeline: Pipeline
    patch: pytest.MonkeyPatch
    now: datetime = MORNING
    cursor: str | None = None
    skipped: str = ""

    def __post_init__(self) -> None:
        for module in (input_gates, night_retry):
            self.patch.setattr(module, "utc_now", lambda: self.now)

    def predict(self, request: dg.RunRequest | None = None) -> dg.ExecuteInProcessResult:
        job = (request.job_name if request else None) or "nightly_predictions"
        with freeze_time(self.now):
            return self.pipeline.run(job, NIGHT, request.tags if request else None)

    def tick(self) -> list[dg.RunRequest]:
        sensor = self.pipeline.definitions.resolve_sensor_def("retry_unfinished_night")
        resources = {name: self.pipeline.resources[name] for name in ("batches", "league")}
        with dg.build_sensor_context(
            instance=self.pipeline.instance,
            cursor=self.cursor,
            repository_def=self.pipeline.definitions.get_repository_def(),
            resources=resources,
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor, self.skipped = data.cursor, data.skip_message or ""
        return list(data.run_requests or [])


def disk_is_full(real: Any, *arguments: Any) -> Any:
    raise OSError("no space left on device")


@pytest.fixture
def retried(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> RetriedNight:
    return RetriedNight(pipeline, monkeypatch)


def test_a_failed_night_is_retried_with_growing_pauses_until_it_is_complete(
    retried: RetriedNight, undisturbed: pl.DataFrame
) -> None:
    assert retried.tick() == []
    with retried.pipeline.warehouse.broken("merge", disk_is_full):
        assert not retried.predict().success
        retried.now += FIRST_PAUSE - SECOND
        assert retried.tick() == []
        assert "is retried at" in retried.skipped
        retried.now += SECOND
        (first,) = retried.tick()
        assert (first.job_name, first.partition_key) == ("nightly_predictions", NIGHT)
        assert first.tags[RETRY_TAG] == "1"
        assert not retried.predict(first).success
        retried.now += 2 * FIRST_PAUSE - SECOND
        assert retried.tick() == []
        retried.now += SECOND
        (second,) = retried.tick()
    assert second.run_key != first.run_key
    assert second.tags[RETRY_TAG] == "2"
    assert retried.predict(second).success
    retried.now += LONGEST_PAUSE
    assert retried.tick() == []
    assert "did not fail" in retried.skipped
    assert facts(retried.pipeline.table()) == facts(undisturbed)


def test_a_failure_before_any_batch_exists_is_retried(
    retried: RetriedNight, league: FramesLeague
) -> None:
    with retried.pipeline.batches.broken("create", disk_is_full):
        assert not retried.predict().success
    retried.now += FIRST_PAUSE
    (request,) = retried.tick()
    assert retried.predict(request).success


def test_a_complete_night_is_not_retried_after_a_later_run_failed(retried: RetriedNight) -> None:
    assert retried.predict().success
    with retried.pipeline.batches.broken("create", disk_is_full):
        assert not retried.predict().success
    retried.now += LONGEST_PAUSE
    assert retried.tick() == []
    assert "is complete" in retried.skipped


def test_a_night_whose_games_have_begun_is_not_retried(
    retried: RetriedNight, league: FramesLeague
) -> None:
    with retried.pipeline.warehouse.broken("merge", disk_is_full):
        assert not retried.predict().success
    tipoff = league.games["tipoff"].min()
    assert isinstance(tipoff, datetime)
    retried.now = tipoff - SECOND
    assert len(retried.tick()) == 1
    retried.now = tipoff
    assert retried.tick() == []
    assert "have begun" in retried.skipped


def test_a_night_that_a_gate_blocks_is_left_to_the_other_sensor(
    make_pipeline: MakePipeline, league: FramesLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = replace(league, lines=league.lines.clear())
    retried = RetriedNight(make_pipeline(league=blocked), monkeypatch)
    assert not retried.predict().success
    retried.now += LONGEST_PAUSE
    assert retried.tick() == []
    assert "predict_waiting_nights" in retried.skipped


def test_a_night_is_not_retried_without_end(
    retried: RetriedNight, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(night_retry, "MAX_RETRIES", 1)
    with retried.pipeline.batches.broken("create", disk_is_full):
        assert not retried.predict().success
        retried.now += FIRST_PAUSE
        (request,) = retried.tick()
        assert not retried.predict(request).success
    retried.now += LONGEST_PAUSE
    capsys.readouterr()
    assert retried.tick() == []
    assert retried.tick() == []
    lines = capsys.readouterr().out.splitlines()
    (event,) = [json.loads(line) for line in lines if "night_not_retried" in line]
    assert (event["retries"], event["game_date"]) == (1, NIGHT)
