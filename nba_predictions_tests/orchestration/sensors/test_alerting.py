"""The alert sensors: one for each kind, switched on, documented, and with a cursor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import defs
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import Condition, Kind, Severity
from nba_predictions.orchestration.sensors import alerting
from nba_predictions.orchestration.sensors.alerting import (
    ALERT_SENSORS,
    CONDITION_FINDERS,
    SENSOR_NAMES,
    AlertContext,
)
from nba_predictions.settings import Settings
from nba_predictions_tests.conftest import REPOSITORY


def test_every_kind_has_a_sensor_that_is_switched_on_and_launches_nothing() -> None:
    sensors = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    assert set(SENSOR_NAMES) == set(CONDITION_FINDERS) == set(Kind)
    for name in SENSOR_NAMES.values():
        sensor = sensors[name]
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert sensor.minimum_interval_seconds == 60
        assert sensor.targets == []


def test_the_guide_explains_every_alert_by_its_title() -> None:
    text = (REPOSITORY / "docs" / "alerts.md").read_text("utf-8")
    for name in SENSOR_NAMES.values():
        assert f"| `{name}` |" in text
    titles = (
        *("returned no result", "failed", "cannot be read", "was canceled", "does not finish"),
        *("is stalled", "was abandoned", "not published", "did not tick", "keeps failing"),
        *("started and did not finish", "more than 100 alerts"),
    )
    product = REPOSITORY / "nba_predictions"
    modules = [
        product / "nightly" / "batch_conditions.py",
        *(product / "orchestration" / "conditions").glob("*.py"),
    ]
    code = "".join(path.read_text("utf-8") for path in modules)
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    for title in titles:
        assert any(title in row for row in rows), title
        assert title in code or title == "more than 100 alerts"


class Alerting:
    """Evaluates one sensor on an instance without history, and keeps its cursor."""

    def __init__(self, folder: Path) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None
        self.resources: dict[str, Any] = {
            "batches": SQLiteBatchStore(folder / "batches.sqlite"),
            "notifier": AppriseNotifier([]),
            "settings": Settings(home=folder),
        }

    def tick(self, kind: Kind) -> str:
        (sensor,) = (s for s in ALERT_SENSORS if s.name == SENSOR_NAMES[kind])
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=defs.get_repository_def(),
            resources=self.resources,
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return str(data.skip_message)


@pytest.fixture
def ticks(tmp_path: Path) -> Alerting:
    return Alerting(tmp_path)


@pytest.mark.parametrize("kind", Kind)
def test_a_new_instance_has_no_open_conditions(ticks: Alerting, kind: Kind) -> None:
    assert ticks.tick(kind) == "0 open"
    assert ticks.tick(kind) == "0 open"


def test_a_schedule_that_is_never_evaluated_is_noticed_over_several_ticks(
    ticks: Alerting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cursor has the time since when the sensor watches a schedule."""
    assert ticks.tick(Kind.MISSED_TICK) == "0 open"
    later = utc_now() + timedelta(days=1, minutes=30)
    monkeypatch.setattr(alerting, "machine_now", lambda: later)
    ticks.tick(Kind.MISSED_TICK)
    # The log has every alert. The summary has the first few, and their order depends on the hour.
    assert "predict_today_at_7_eastern did not tick at" in capsys.readouterr().out


def test_a_cursor_that_cannot_be_read_is_logged_and_open_alerts_are_sent_again(
    ticks: Alerting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(context: AlertContext) -> list[Condition]:
        return [Condition("a", Kind.FAILED_RUN, Severity.ERROR, "it failed", context.now)]

    monkeypatch.setitem(CONDITION_FINDERS, Kind.FAILED_RUN, find)
    ticks.tick(Kind.FAILED_RUN)
    ticks.cursor = json.dumps({"book": 7})
    summary = ticks.tick(Kind.FAILED_RUN)
    assert summary.startswith("1 open; it failed; only the log has it")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["alert_raised", "alert_book_lost", "alert_raised"]
    assert lines[1]["severity"] == "WARNING"
    assert datetime.fromisoformat(lines[2]["since"])
