"""From a broken night to an alert, and from the mended night to its end, through Dagster."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.batch_store import sqlite_store
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PublishError
from nba_predictions.orchestration.sensors.alerting import ALERT_SENSORS
from nba_predictions_tests.alerts.receiver import SECRET, Receiver
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline
from nba_predictions_tests.e2e.test_merge_faults import loses_a_table


@dataclass
class Daemon:
    """The alert sensors, tick by tick, each with the cursor that it left."""

    pipeline: Pipeline
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self) -> dict[str, str]:
        """Tick all of them; return what each says."""
        return {sensor.name: self.tick_one(sensor.name) for sensor in ALERT_SENSORS}

    def tick_one(self, name: str) -> str:
        definitions = self.pipeline.definitions
        sensor = definitions.resolve_sensor_def(name)
        wanted = {k: self.pipeline.resources[k] for k in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.pipeline.instance,
            cursor=self.cursors.get(name),
            repository_def=definitions.get_repository_def(),
            resources=wanted,
        ) as context:
            data = sensor.evaluate_tick(context)
        assert not data.run_requests
        assert SECRET not in str(data.cursor) + str(data.skip_message)
        self.cursors[name] = data.cursor
        return str(data.skip_message)


def alerting_to(pipeline: Pipeline, *receivers: Receiver) -> Pipeline:
    settings = replace(pipeline.resources["settings"], ui_url="https://dagster.example.com")
    notifier = AppriseNotifier([receiver.url for receiver in receivers])
    return pipeline.with_resources(notifier=notifier, settings=settings)


def twenty_minutes_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sqlite_store, "utc_now", lambda: utc_now() + timedelta(minutes=20))


def told(receiver: Receiver) -> list[str]:
    """What a receiver was told, without whose pipeline it is."""
    return [title.partition("] ")[2] for title in receiver.titles]


def test_a_broken_night_is_told_of_once_and_so_is_its_mending(
    pipeline: Pipeline,
    slack: Receiver,
    mail: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline = alerting_to(pipeline, slack, mail)
    daemon = Daemon(pipeline)
    assert set(daemon.tick().values()) == {"0 open"}

    # A merge that loses a staging table: the check stops the night, and is what is told of.
    with pipeline.warehouse.broken("merge", loses_a_table):
        broken = pipeline.predict()
    assert not broken.success
    for _ in range(2):
        said = daemon.tick()
    raised = f"ERROR: the check merged_rows_match_staged failed for {GAME_DATE}"
    assert told(slack) == [raised]
    lines = slack.posts[0]["message"].splitlines()
    assert f"game_date: {GAME_DATE}" in lines
    assert f"batch: {pipeline.batch().batch_id}" in lines
    assert "tables_found: 30" in lines
    assert f"look: https://dagster.example.com/runs/{broken.run_id}" in lines
    assert "did not take it" in said["alert_on_failed_checks"]
    assert said["alert_on_failed_runs"] == "0 open"

    # Who was away is told when it is back; the others hear nothing more.
    mail.up()
    daemon.tick()
    assert (told(mail), told(slack)) == ([raised], [raised])

    # Mended, but the broker is away: what waits is told of with the reason.
    assert pipeline.predict().success
    with pipeline.publisher.broken("publish", broker_is_away):
        (request,) = pipeline.tick()
        assert not pipeline.publish(request).success
    with monkeypatch.context() as patch:
        twenty_minutes_later(patch)
        daemon.tick()
        daemon.tick()
    cleared = raised.replace("ERROR", "CLEARED")
    waits = f"ERROR: the predictions of {GAME_DATE} are in the table, and not published"
    assert told(slack) == told(mail) == [raised, cleared, waits]
    assert "last_error: PublishError: the broker is away" in slack.posts[-1]["message"]

    # Out at last.
    assert pipeline.publish(request).success
    for _ in range(2):
        assert set(daemon.tick().values()) <= {"0 open", "0 open; 2 told"}
    assert told(slack) == told(mail) == [raised, cleared, waits, waits.replace("ERROR", "CLEARED")]

    out = capsys.readouterr().out
    assert SECRET not in out
    events = [json.loads(line)["event"] for line in out.splitlines() if line.startswith("{")]
    assert events.count("alert_raised") == events.count("alert_cleared") == 2
    assert events.count("alert_not_delivered") == 2


def broker_is_away(real: Any, message: Any) -> Any:
    raise PublishError("the broker is away")


def test_a_night_that_dies_is_told_of_by_its_run_and_by_its_silence_though_one_sensor_breaks(
    pipeline: Pipeline, slack: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = alerting_to(pipeline, slack)
    daemon = Daemon(pipeline)

    def power_cut(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with pipeline.warehouse.broken("stage", power_cut):
        assert not pipeline.predict().success
    twenty_minutes_later(monkeypatch)
    with pipeline.batches.broken("in_states", broker_is_away):
        for name in ("alert_on_stalled_batches", "alert_on_unpublished_batches"):
            with pytest.raises(PublishError):
                daemon.tick_one(name)
        assert daemon.tick_one("alert_on_failed_checks") == "0 open"
    daemon.tick()
    stalled = f"ERROR: the batch of {GAME_DATE} stands still in the state staging"
    assert sorted(told(slack)) == [f"ERROR: nightly_predictions failed for {GAME_DATE}", stalled]

    # A cursor that is lost: told again is better than not told.
    daemon.cursors["alert_on_stalled_batches"] = "lost"
    daemon.tick()
    assert told(slack).count(stalled) == 2
