"""The key and the password of the proxy appear in no file, line, log record or error."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from nba_predictions.cli.fetching import fetch_date, seed_history
from nba_predictions.cli.startup import load_settings
from nba_predictions_tests.fetching.conftest import DAY, SEASONS, eastern
from nba_predictions_tests.fetching.toys import set_clock
from nba_predictions_tests.standins.live import Fault, LiveStandIn

KEY = "k3y+D1stinctive/w1th%odd"
PASSWORD = "p@ss:D1stinctive"
USER = "proxyuser"
FORMS = [
    form.encode()
    for secret in (KEY, PASSWORD)
    for form in {secret, quote(secret, safe=""), quote_plus(secret)}
] + [b64encode(f"{USER}:{PASSWORD}".encode())]
ADDRESSES = ("NBA_STATS_URL", "NBA_CDN_URL", "ESPN_URL", "ODDS_API_URL", "INJURY_REPORT_URL")


class Records(logging.Handler):
    """Keeps the text of all log records, with their arguments and exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [record.getMessage(), repr(record.args), repr(vars(record))]
        if record.exc_info and record.exc_info[0]:
            self.lines += traceback.format_exception(*record.exc_info)


@pytest.fixture
def records() -> Iterator[Records]:
    """Collect the log records of all loggers, at the level DEBUG."""
    handler = Records()
    names = [*logging.root.manager.loggerDict, "urllib3.connectionpool", "urllib3.util.retry"]
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in names)]
    levels = [logger.level for logger in loggers]
    logging.getLogger("nba_predictions").addHandler(handler)
    logging.getLogger().addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield handler
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
        logger.removeHandler(handler)


@pytest.fixture
def standin() -> Iterator[LiveStandIn]:
    with LiveStandIn(SEASONS, eastern(17), hang_seconds=1.0) as standin:
        standin.account.key = KEY
        yield standin


@pytest.fixture
def echo() -> Iterator[str]:
    """Serve what the client sent, in the body and in headers, with the status of the path."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.path} {self.headers} {KEY}".encode()
            self.send_response(int(next(s for s in ("401", "500", "200") if s in self.path)))
            self.send_header("ETag", self.path)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class Run:
    """Runs the commands with the secrets in the environment, and searches what they leave."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        home: Path,
        records: Records,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        self.monkeypatch, self.home, self.records, self.capfd = monkeypatch, home, records, capfd

    def set(self, **values: str) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(f"NBA_PREDICTIONS_{name}", value)

    def commands(self) -> list[int]:
        settings = load_settings()
        texts = [repr(settings), str(settings)]
        found: list[int] = []
        calls: list[Callable[[], int]] = [
            lambda: fetch_date(settings, DAY, check=False, as_json=True),
            lambda: fetch_date(settings, DAY, check=True, as_json=False),
            lambda: seed_history(settings, 1, injuries=False),
        ]
        for call in calls:
            try:
                found.append(call())
            except Exception as error:
                texts += [repr(error), *traceback.format_exception(error)]
        self.search("\n".join(texts))
        return found

    def search(self, text: str) -> None:
        out, err = self.capfd.readouterr()
        places = {"stdout": out, "stderr": err, "errors": text}
        places["log records"] = "\n".join(self.records.lines)
        contents = {name: content.encode() for name, content in places.items()}
        for path in self.home.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                if path.suffix == ".gz":
                    content = gzip.decompress(content)
                contents[str(path)] = content + str(path).encode()
        found = [name for name, content in contents.items() if any(f in content for f in FORMS)]
        assert not found
        assert any("requests" in name for name in contents)


@pytest.fixture
def run(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    standin: LiveStandIn,
    records: Records,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    set_clock(monkeypatch, eastern(17))
    run = Run(monkeypatch, home, records, capfd)
    run.set(
        **{name.upper(): url for name, url in standin.urls.items()},
        SOURCE="live",
        ODDS_API_KEY=KEY,
        REQUEST_PAUSE_SECONDS="0",
        REQUEST_TIMEOUT_SECONDS="20",
    )
    monkeypatch.delenv("NBA_PREDICTIONS_PROXY", raising=False)
    # Retries do not pause here, not even after 429.
    monkeypatch.setattr("nba_predictions.fetching.client._TOO_MANY_SECONDS", 0.0)
    return run


def test_all_is_well(run: Run, standin: LiveStandIn) -> None:
    assert run.commands() == [0, 0, 0]
    sent = [dict(seen.query)["apiKey"] for seen in standin.requests_to("odds")]
    assert set(sent) == {KEY}
    # The loggers of the HTTP client were asked.
    assert any("GET /odds/sports" in line for line in run.records.lines)


@pytest.mark.parametrize(
    "fault", ["out_of_credits", "error_500", "too_many_429", "html_200", "truncated", "wrong_gzip"]
)
def test_faults(run: Run, standin: LiveStandIn, fault: str) -> None:
    standin.faults = [Fault(fault, "odds")]
    assert run.commands()[:2] == [1, 1]


def test_a_service_that_hangs(run: Run, standin: LiveStandIn) -> None:
    run.set(REQUEST_TIMEOUT_SECONDS="1")
    standin.hang_seconds = 3.0
    standin.faults = [Fault("hang", "odds")]
    assert run.commands()[:2] == [1, 1]


def test_a_key_that_is_refused(run: Run, standin: LiveStandIn) -> None:
    standin.account.key = "another"
    assert run.commands()[:2] == [1, 1]


@pytest.mark.parametrize("status", ["401", "500", "200"])
def test_a_service_that_repeats_the_request(run: Run, echo: str, status: str) -> None:
    run.set(**dict.fromkeys(ADDRESSES, f"{echo}/{status}"))
    assert run.commands() == [1, 1, 1]


def test_no_connection(run: Run, closed: str) -> None:
    run.set(**dict.fromkeys(ADDRESSES, f"http://{closed}"))
    assert run.commands() == [1, 1, 1]


def test_a_proxy_that_is_closed(run: Run, closed: str) -> None:
    run.set(PROXY=f"http://{USER}:{quote(PASSWORD, safe='')}@{closed}")
    assert run.commands() == [1, 1, 1]


def test_a_proxy_that_repeats_the_request(run: Run, echo: str, standin: LiveStandIn) -> None:
    run.set(PROXY=f"http://{USER}:{quote(PASSWORD, safe='')}@{echo.removeprefix('http://')}")
    run.set(**dict.fromkeys(ADDRESSES, "http://127.0.0.1:9/500"))
    assert run.commands() == [1, 1, 1]
    quarantined = list(run.home.rglob("quarantine/*/*/*/*.gz"))
    assert any(
        b"Proxy-Authorization: Basic ***" in gzip.decompress(p.read_bytes()) for p in quarantined
    )
