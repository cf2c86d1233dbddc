"""From a failed night to its alerts, and from the fix to their end, through Dagster."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
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
    """Evaluates the alert sensors and keeps their cursors."""

    pipeline: Pipeline
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self) -> dict[str, str]:
        """Evaluate all sensors; return their skip messages by name."""
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
    settings = pipeline.resources["settings"].model_copy(
        update={"ui_url": "https://dagster.example.com"}
    )
    notifier = AppriseNotifier([receiver.url for receiver in receivers])
    return pipeline.with_resources(notifier=notifier, settings=settings)


def twenty_minutes_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sqlite_store, "utc_now", lambda: utc_now() + timedelta(minutes=20))


def titles(receiver: Receiver) -> list[str]:
    """Return the titles that a receiver got, without the name of the pipeline."""
    return [title.partition("] ")[2] for title in receiver.titles]


def test_a_failed_night_is_reported_once_and_so_is_its_fix(
    pipeline: Pipeline,
    slack: Receiver,
    mail: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline = alerting_to(pipeline, slack, mail)
    daemon = Daemon(pipeline)
    assert set(daemon.tick().values()) == {"0 open"}

    # The merge loses a staging table. The check stops the night, and the alert is about it.
    with pipeline.warehouse.broken("merge", loses_a_table):
        broken = pipeline.predict()
    assert not broken.success
    for _ in range(2):
        summaries = daemon.tick()
    raised = f"ERROR: the check merged_rows_match_staged failed for {GAME_DATE}"
    assert titles(slack) == [raised]
    lines = slack.posts[0]["message"].splitlines()
    assert f"game_date: {GAME_DATE}" in lines
    assert f"batch: {pipeline.batch().batch_id}" in lines
    assert "tables_found: 30" in lines
    assert f"link: https://dagster.example.com/runs/{broken.run_id}" in lines
    assert "did not accept the message" in summaries["alert_on_failed_checks"]
    assert summaries["alert_on_failed_runs"] == "0 open"

    # The destination that was down is notified when it is back; the other gets nothing more.
    mail.up()
    daemon.tick()
    assert (titles(mail), titles(slack)) == ([raised], [raised])

    # The night is fixed, but the broker does not answer: the alert has the reason.
    assert pipeline.predict().success
    with pipeline.publisher.broken("publish", broker_is_down):
        (request,) = pipeline.tick()
        assert not pipeline.publish(request).success
    with monkeypatch.context() as patch:
        twenty_minutes_later(patch)
        daemon.tick()
        daemon.tick()
    cleared = raised.replace("ERROR", "CLEARED")
    unpublished = f"ERROR: the predictions of {GAME_DATE} are merged but not published"
    assert titles(slack) == titles(mail) == [raised, cleared, unpublished]
    assert "last_error: PublishError: the broker is down" in slack.posts[-1]["message"]

    # The broker answers again.
    assert pipeline.publish(request).success
    for _ in range(2):
        assert set(daemon.tick().values()) <= {"0 open", "0 open; 2 notified"}
    assert (
        titles(slack)
        == titles(mail)
        == [*(raised, cleared, unpublished, unpublished.replace("ERROR", "CLEARED"))]
    )

    out = capsys.readouterr().out
    assert SECRET not in out
    events = [json.loads(line)["event"] for line in out.splitlines() if line.startswith("{")]
    assert events.count("alert_raised") == events.count("alert_cleared") == 2
    assert events.count("alert_not_delivered") == 2


def broker_is_down(real: Any, message: Any) -> Any:
    raise PublishError("the broker is down")


def test_a_night_that_dies_has_alerts_for_its_run_and_its_batch_while_other_sensors_fail(
    pipeline: Pipeline, slack: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = alerting_to(pipeline, slack)
    daemon = Daemon(pipeline)

    def power_cut(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with pipeline.warehouse.broken("stage", power_cut):
        assert not pipeline.predict().success
    twenty_minutes_later(monkeypatch)
    with pipeline.batches.broken("in_states", broker_is_down):
        for name in ("alert_on_stalled_batches", "alert_on_unpublished_batches"):
            with pytest.raises(PublishError):
                daemon.tick_one(name)
        assert daemon.tick_one("alert_on_failed_checks") == "0 open"
    daemon.tick()
    stalled = f"ERROR: the batch of {GAME_DATE} is stalled in state staging"
    assert sorted(titles(slack)) == [f"ERROR: nightly_predictions failed for {GAME_DATE}", stalled]

    # A cursor is lost: the alert is sent again.
    daemon.cursors["alert_on_stalled_batches"] = "lost"
    daemon.tick()
    assert titles(slack).count(stalled) == 2
