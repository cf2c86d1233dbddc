"""Log lines: one JSON object on stdout each, regardless of other logging configuration."""

import json
import logging
import logging.config
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from nba_predictions import logs
from nba_predictions_tests.examples import GAME_DATE


@pytest.fixture(autouse=True)
def _restore_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_milestone_is_one_json_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    logs.milestone("batch_created", "batch_1 created", batch_id="batch_1", game_date=GAME_DATE)
    (line,) = printed(capsys)
    assert list(line) == ["severity", "message", "time", "event", "batch_id", "game_date"]
    assert (line["severity"], line["message"]) == ("INFO", "batch_1 created")
    assert (line["event"], line["game_date"]) == ("batch_created", "2026-01-01")
    assert line["time"].endswith("+00:00")


def test_severity_is_a_cloud_logging_severity(capsys: pytest.CaptureFixture[str]) -> None:
    for severity in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logs.milestone("e", "m", severity=severity)
    assert [x["severity"] for x in printed(capsys)] == ["INFO", "WARNING", "ERROR", "CRITICAL"]


def test_line_breaks_quotes_and_accents_stay_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = 'Traceback:\n  "Dončić" %s {}\u2028'
    logs.milestone("player_failed", text, traceback=text)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["message"] == text
    assert json.loads(out)["traceback"] == text


def _warning_root() -> None:
    logging.basicConfig(level=logging.WARNING, force=True)


def _custom_format() -> None:
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s", stream=sys.stderr)


def _server() -> None:
    # Servers install a complete configuration that does not mention this logger.
    logging.config.dictConfig({"version": 1, "root": {"level": "WARNING"}})


def _quiet_library() -> None:
    logging.getLogger(logs.LOGGER_NAME).setLevel(logging.ERROR)


@pytest.mark.parametrize("configure", [_warning_root, _custom_format, _server, _quiet_library])
def test_other_logging_configuration_does_not_suppress_a_line(
    capsys: pytest.CaptureFixture[str], configure: Any
) -> None:
    logs.milestone("before", "before")
    configure()
    logs.milestone("after", "after")
    assert [line["event"] for line in printed(capsys)] == ["before", "after"]


def test_a_line_is_printed_once_if_the_root_logger_prints_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
    logs.milestone("once", "once")
    assert len(printed(capsys)) == 1


def test_threads_that_log_concurrently_at_first_print_each_line_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger(logs.LOGGER_NAME)
    start = Barrier(16)

    def log(number: int) -> None:
        start.wait()
        logs.milestone("e", "m", number=number)

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            logger.handlers.clear()
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(log, range(16)))
            assert len(logger.handlers) == 1
            assert sorted(line["number"] for line in printed(capsys)) == list(range(16))
    finally:
        sys.setswitchinterval(switching)


def test_a_line_goes_to_the_current_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    logs.milestone("here", "here")
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stdout", elsewhere)
    logs.milestone("there", "there")
    monkeypatch.undo()
    assert json.loads(elsewhere.getvalue())["event"] == "there"
    assert [line["event"] for line in printed(capsys)] == ["here"]


def test_the_line_of_an_exception_has_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("no such player")
    except ValueError:
        logs.configure().exception("failed")
    (line,) = printed(capsys)
    assert "ValueError: no such player" in line["exception"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_new_process_prints_a_line_in_any_encoding(encoding: str) -> None:
    code = (
        "import logging; logging.basicConfig(level=logging.WARNING);"
        "from nba_predictions.logs import milestone; milestone('e', 'Don\\u010di\\u0107')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(ran.stdout)["message"] == "Dončić"
    assert ran.stderr == b""
