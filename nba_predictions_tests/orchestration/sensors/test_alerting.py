"""The alert sensors as Dagster has them: on, one for each kind, explained, and with a memory."""

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
from nba_predictions.orchestration.sensors.alerting import ALERT_SENSORS, FIND, SENSORS, Scene
from nba_predictions.settings import Settings
from nba_predictions_tests.conftest import REPOSITORY


def test_every_kind_has_a_sensor_that_is_on_from_the_beginning_and_launches_nothing() -> None:
    there = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    assert set(SENSORS) == set(FIND) == set(Kind)
    for name, _ in SENSORS.values():
        sensor = there[name]
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert sensor.minimum_interval_seconds == 60
        assert sensor.targets == []


def test_the_guide_explains_every_alert_by_its_title() -> None:
    text = (REPOSITORY / "docs" / "alerts.md").read_text("utf-8")
    for name, _ in SENSORS.values():
        assert f"| `{name}` |" in text
    titles = (
        *("gave no result", "failed", "cannot be read", "was canceled", "does not end"),
        *("stands still", "was given up", "not published", "did not tick", "keeps failing"),
        *("began and did not end", "more than 100 alerts"),
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
    """Ticks of one sensor on an instance without history."""

    def __init__(self, folder: Path) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None
        self.resources: dict[str, Any] = {
            "batches": SQLiteBatchStore(folder / "batches.sqlite"),
            "notifier": AppriseNotifier([]),
            "settings": Settings("embedded", "simulated", None, folder, 0.9),
        }

    def tick(self, kind: Kind) -> str:
        (sensor,) = (s for s in ALERT_SENSORS if s.name == SENSORS[kind][0])
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
def house(tmp_path: Path) -> Alerting:
    return Alerting(tmp_path)


@pytest.mark.parametrize("kind", Kind)
def test_where_nothing_has_happened_yet_nothing_is_open(house: Alerting, kind: Kind) -> None:
    assert house.tick(kind) == "0 open"
    assert house.tick(kind) == "0 open"


def test_a_schedule_that_no_scheduler_looks_at_is_noticed_over_several_ticks(
    house: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor remembers since when it has watched: it is in the cursor beside the book."""
    assert house.tick(Kind.MISSED_TICK) == "0 open"
    later = utc_now() + timedelta(days=1, minutes=30)
    monkeypatch.setattr(alerting, "utc_now", lambda: later)
    assert "predict_today_at_7_eastern did not tick at" in house.tick(Kind.MISSED_TICK)


def test_a_cursor_that_cannot_be_read_is_said_and_what_is_open_is_told_again(
    house: Alerting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(scene: Scene) -> list[Condition]:
        return [Condition("a", Kind.FAILED_RUN, Severity.ERROR, "it failed", scene.now)]

    monkeypatch.setitem(FIND, Kind.FAILED_RUN, find)
    house.tick(Kind.FAILED_RUN)
    house.cursor = json.dumps({"book": 7})
    said = house.tick(Kind.FAILED_RUN)
    assert said.startswith("1 open; it failed; nobody is told but the log")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["alert_raised", "alert_book_lost", "alert_raised"]
    assert lines[1]["severity"] == "WARNING"
    assert datetime.fromisoformat(lines[2]["since"])
