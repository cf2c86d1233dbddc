"""Read the settings of the pipeline from environment variables.

`python -m nba_predictions.settings docs/configuration.md` updates the table in that page.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from nba_predictions.domain.batches.batch import DEFAULT_COMPLETION_THRESHOLD
from nba_predictions.domain.clock import read_moment
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.messages.completion import TOPIC
from nba_predictions.domain.policies.input_gates import GATES, GateThresholds

PREFIX = "NBA_PREDICTIONS_"
#: The source that fetches its inputs.
LIVE = "live"
#: Variables of the test suite.
_TEST_PREFIX = f"{PREFIX}TEST"
#: Similarity of two names, from 0 to 1, from which one is a misspelling of the other.
_MISSPELLED = 0.8
#: Text that needs no escape in a cookie and in an address.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,}")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
_EMULATORS = ("FIRESTORE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST")
_GCP_NAMES = {
    "gcp_project": re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "gcp_location": re.compile(r"[A-Za-z][A-Za-z0-9-]+"),
    "gcp_dataset": re.compile(r"[A-Za-z0-9_]{1,1000}"),
    "gcp_database": re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]"),
    "gcp_topic": re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,240}"),
}


@dataclass(frozen=True)
class GoogleCloud:
    """The project and the names that the profile gcp uses in Google Cloud."""

    project: str
    location: str
    dataset: str
    database: str
    topic: str


def _setting(
    default: Any, description: str, *, valid: tuple[str, str], default_text: str | None = None
) -> Any:
    """Return a field.

    `default` may be a function of the fields before it; `default_text` then describes it in the
    table of settings. `valid` says what it accepts, and has an example.
    """
    if default_text is None:
        default_text = "" if default in (None, "") else f"`{default}`"
    accepts, example = valid
    extra: Any = {"accepts": accepts, "default_text": default_text}
    key = "default_factory" if callable(default) else "default"
    field: Any = Field(
        **{key: default}, description=description, examples=[example], json_schema_extra=extra
    )
    return field


def _url(default: str, what: str) -> Any:
    """Return a field with the base URL of a service."""
    return _setting(
        default,
        f"The base URL of the service for {what}.",
        valid=("an http or https URL without a query", default),
    )


def _default_home(values: dict[str, Any]) -> Path:
    folder = values["source"]
    return Path(".nba_predictions") / (f"gcp-{folder}" if values["profile"] == "gcp" else folder)


def _default_dataset(values: dict[str, Any]) -> str:
    return "nba_predictions" + ("" if values["source"] != "simulated" else "_simulated")


def _default_topic(values: dict[str, Any]) -> str:
    return TOPIC + ("" if values["source"] != "simulated" else "-simulated")


class Settings(BaseSettings):
    """The validated settings. Each field is the variable NBA_PREDICTIONS_<FIELD>.

    By default each source has its own home, dataset and topic, so that simulated and real
    predictions never share a table.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    profile: Literal["embedded", "gcp"] = _setting(
        "embedded",
        "The backends. `embedded` needs no service; `gcp` uses [Google Cloud](google-cloud.md).",
        valid=("embedded or gcp", "gcp"),
    )
    source: Literal["simulated", "files", "live"] = _setting(
        "simulated",
        "Where the inputs come from: a simulated league, files in `NBA_PREDICTIONS_DATA`, or "
        "[live services](live.md).",
        valid=("simulated, files or live", "files"),
    )
    data: Path | None = _setting(
        None,
        "The folder with the [input files](input-files.md). The source `files` requires it.",
        valid=("an existing folder with input files", "./data"),
    )
    home: Path = _setting(
        _default_home,
        "The folder with all local state.",
        valid=("a folder; it is created when it is needed", "/var/lib/nba_predictions"),
        default_text="`.nba_predictions/<source>`; profile `gcp`: `.nba_predictions/gcp-<source>`",
    )
    completion_threshold: Annotated[float, Field(gt=0, le=1)] = _setting(
        DEFAULT_COMPLETION_THRESHOLD,
        "The share of the expected players that must be predicted or skipped. Below it, a night is "
        "not published.",
        valid=("a share above 0 and at most 1", "0.9"),
    )
    alert_urls: Annotated[tuple[SecretStr, ...], NoDecode] = _setting(
        (),
        "The destinations of [alerts](alerts.md). They contain secrets and are never printed.",
        valid=("Apprise URLs, separated by spaces", "slack://tokenA/tokenB/tokenC"),
        default_text="",
    )
    ui_url: str = _setting(
        "http://localhost:3000",
        "The address of the Dagster UI in a browser: for the links in alerts, and the host that "
        "the [guard of the UI](operating.md#the-guard-of-the-ui) accepts.",
        valid=("an http or https URL without a query", "http://localhost:3000"),
    )
    ui_hosts: Annotated[frozenset[str], NoDecode] = _setting(
        frozenset(),
        "Other host names by which browsers reach the Dagster UI, for example through a proxy.",
        valid=("host names without a port, separated by commas", "dagster.example.com"),
        default_text="",
    )
    ui_token: SecretStr | None = _setting(
        None,
        "A secret that every request to the Dagster UI needs. Without it, everyone who reaches the "
        "UI may use it.",
        valid=(
            "at least 16 letters, digits and characters of -._~",
            "9f2c61d08b7e4a35",
        ),
    )
    code_url: str | None = _setting(
        None,
        "The address of the repository in a browser. The Dagster UI links each asset to its line "
        "there, by default to the local file.",
        valid=(
            "an http or https URL without a query",
            "https://github.com/OWNER/nba_predictions/blob/main",
        ),
    )
    gates: Literal["wait", "warn"] = _setting(
        "wait",
        "What tonight does if an input is below a threshold: `wait` for better inputs, or `warn` "
        "and predict ([gates](operating.md#are-the-inputs-good-enough)).",
        valid=("wait or warn", "warn"),
    )
    gates_only_warn: Annotated[frozenset[str], NoDecode] = _setting(
        frozenset({"injury_report_is_there"}),
        "The gates that always warn and never make a night wait.",
        valid=("names of gates, separated by commas, or none", "injury_report_is_there"),
        default_text="`injury_report_is_there`",
    )
    min_line_share: Annotated[float, Field(ge=0, le=1)] = _setting(
        GateThresholds.min_line_share,
        "The share of the players to predict that must have a line. `0`: lines are not needed.",
        valid=("a share from 0 to 1", "0.35"),
    )
    max_line_age_days: Annotated[int, Field(ge=0, le=30)] = _setting(
        GateThresholds.max_line_age_days,
        "The maximum age of the newest line of a game, in days.",
        valid=("a whole number of days from 0 to 30", "1"),
    )
    max_games_missing: Annotated[int, Field(ge=0, le=100)] = _setting(
        GateThresholds.max_games_missing,
        "The number of games of the previous seven days whose box scores may be missing. One may "
        "be postponed.",
        valid=("a whole number of games from 0 to 100", "1"),
    )
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = _setting(
        0.02,
        "The share of the rows of one kind of [input files](input-files.md#invalid-rows) that may "
        "be invalid. Five rows are always tolerated.",
        valid=("a share from 0 to 1", "0.02"),
    )
    max_run_seconds: Annotated[int, Field(ge=60, le=86400)] = _setting(
        3600,
        "The time after which a run is [ended and retried](operating.md#when-a-run-is-cut-off). A "
        "night takes minutes.",
        valid=("a whole number of seconds from 60 to 86400", "3600"),
    )
    landing: str = _setting(
        lambda values: str(values["home"] / "landing") if "home" in values else "",
        "The folder in which the source `live` stores the answers of the services.",
        valid=("a folder, local or in an object store", "gs://my-bucket/landing"),
        default_text="`<home>/landing`",
    )
    odds_api_key: SecretStr | None = _setting(
        None,
        "The key of The Odds API. Without it, the source `live` has no lines. It is never printed.",
        valid=("the key of the service", "0123456789abcdef0123456789abcdef"),
    )
    odds_polls: Annotated[int, Field(ge=1, le=8)] = _setting(
        2,
        "How often the source `live` asks for the lines of a game on its day. Each costs a credit "
        "([costs](live.md#what-it-costs)).",
        valid=("a whole number from 1 to 8", "4"),
    )
    odds_credits_per_day: Annotated[int, Field(ge=0)] = _setting(
        32,
        "The limit of the credits that are spent on an Eastern day: twice the fullest slate.",
        valid=("a whole number of credits", "64"),
    )
    odds_credits_per_month: Annotated[int, Field(ge=0)] = _setting(
        500,
        "The limit of the credits that are spent in a month of UTC.",
        valid=("a whole number of credits", "20000"),
    )
    odds_books: str = _setting(
        "",
        "The books whose lines are asked for, by their keys at The Odds API. By default those of "
        "the region `us`. Ten books cost as much as a region.",
        valid=("up to ten keys, separated by commas", "draftkings,fanduel"),
    )
    nba_stats_url: str = _url("https://stats.nba.com/stats", "box scores and players")
    nba_cdn_url: str = _url("https://cdn.nba.com/static/json", "the schedule")
    espn_url: str = _url(
        "https://site.api.espn.com/apis/site/v2/sports/basketball/nba",
        "box scores, schedule and injuries if another service does not answer",
    )
    odds_api_url: str = _url("https://api.the-odds-api.com/v4", "lines")
    injury_report_url: str = _url(
        "https://ak-static.cms.nba.com/referee/injury", "the injury report"
    )
    nba_headers: dict[str, str] = _setting(
        {},
        "Headers of the requests to the NBA and ESPN that replace the defaults.",
        valid=("a JSON object of texts", '{"User-Agent": "Mozilla/5.0"}'),
        default_text="those of a current browser",
    )
    request_pause_seconds: Annotated[float, Field(ge=0, le=60)] = _setting(
        2.0,
        "The pause between two requests to one service.",
        valid=("a number of seconds from 0 to 60", "2"),
    )
    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = _setting(
        30.0,
        "The time after which a request that is not answered is abandoned.",
        valid=("a number of seconds up to 300", "30"),
    )
    transport: Literal["requests", "curl_cffi"] = _setting(
        "requests",
        "The HTTP client. `curl_cffi` connects as a browser does, and needs the extra `browser`.",
        valid=("requests or curl_cffi", "curl_cffi"),
    )
    proxy: SecretStr | None = _setting(
        None,
        "A proxy for the requests to the services. It may contain a password, and is never "
        "printed.",
        valid=("the URL of a proxy", "http://user:password@proxy.example.com:8080"),
    )
    now: datetime | None = _setting(
        None,
        "The moment at which the clock of the pipeline starts, to "
        "[repeat a past day](live.md#repeat-a-past-day) against a stand-in. It is part of every "
        "log line. On Google Cloud, only emulators accept it.",
        valid=("a moment in ISO 8601 with an offset", "2026-01-15T07:00:00-05:00"),
    )
    gcp_project: str | None = _setting(
        None,
        "The Google Cloud project. The profile `gcp` requires it.",
        valid=("the ID of a project", "my-nba-project"),
    )
    gcp_location: str = _setting(
        "US",
        "The location of the BigQuery datasets.",
        valid=("a region or multi-region of BigQuery", "europe-west1"),
    )
    gcp_dataset: str = _setting(
        _default_dataset,
        "The BigQuery dataset of the tables, and the root document in Firestore. Staging is in "
        "`<dataset>_staging`.",
        valid=("letters, digits and underscores", "nba_predictions"),
        default_text="`nba_predictions`; source `simulated`: `nba_predictions_simulated`",
    )
    gcp_database: str = _setting(
        "(default)",
        "The Firestore database.",
        valid=("(default), or 4 to 63 lower case letters, digits and hyphens", "(default)"),
    )
    gcp_topic: str = _setting(
        _default_topic,
        "The Pub/Sub topic of the completion messages. Dead letters go to `<topic>-dead-letters`.",
        valid=("the name of a topic, without its project", TOPIC),
        default_text=f"`{TOPIC}`; source `simulated`: `{TOPIC}-simulated`",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the given values: `from_environment` alone reads variables."""
        return (init_settings,)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and validate the settings. An empty variable counts as not set.

        Raises:
            SettingsError: lists all invalid, missing and misspelled variables, one per line.
        """
        variables = {name: value for name, value in environment.items() if value}
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): value for name, value in variables.items()}
        problems = _misspelled(variables)
        settings = None
        try:
            settings = cls(**source())
        except ValidationError as error:
            problems += [
                _explain(details)
                for details in error.errors()
                # The default of a home, for example, cannot be determined without a valid source.
                if details["type"] != "default_factory_not_called"
            ]
        if settings is None or problems:
            raise SettingsError("\n".join(problems))
        return settings

    @field_validator("data")
    @classmethod
    def _check_data(cls, data: Path | None, info: ValidationInfo) -> Path | None:
        if info.data.get("source") == "files":
            if data is None:
                raise ValueError("the source files requires it")
            if not data.is_dir():
                raise ValueError("it is not a folder")
        return data.resolve() if data else None

    @field_validator("home")
    @classmethod
    def _make_absolute(cls, home: Path) -> Path:
        return home.resolve()

    @field_validator("alert_urls", mode="before")
    @classmethod
    def _split_urls(cls, urls: Any) -> Any:
        return urls.split() if isinstance(urls, str) else urls

    @field_validator("ui_url", "code_url")
    @classmethod
    def _check_web_address(cls, url: str | None) -> str | None:
        if url is not None and not _WEB_ADDRESS.fullmatch(url):
            raise ValueError("it is not the address of a web page")
        return url

    @field_validator(
        *("nba_stats_url", "nba_cdn_url", "espn_url", "odds_api_url", "injury_report_url")
    )
    @classmethod
    def _check_base_url(cls, url: str) -> str:
        if not _WEB_ADDRESS.fullmatch(url):
            raise ValueError("it is not the base URL of a service")
        return url.rstrip("/")

    @field_validator("odds_books")
    @classmethod
    def _check_books(cls, books: str) -> str:
        keys = [key.strip() for key in books.split(",") if key.strip()]
        if len(keys) > 10 or not all(re.fullmatch(r"[a-z0-9_]+", key) for key in keys):
            raise ValueError("it is not a list of up to ten keys")
        return ",".join(keys)

    @field_validator("ui_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, hosts: Any) -> Any:
        if isinstance(hosts, str):
            hosts = frozenset(name.strip() for name in hosts.split(","))
        if wrong := sorted(name for name in hosts if not _HOST_NAME.fullmatch(name)):
            raise ValueError(f"it names {', '.join(map(repr, wrong))}")
        return hosts

    @field_validator("ui_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("it is too short or has other characters")
        return token

    @field_validator("gates_only_warn", mode="before")
    @classmethod
    def _split_gates(cls, gates: Any) -> Any:
        if isinstance(gates, str):
            gates = frozenset(name.strip() for name in gates.split(",")) - {"none"}
        unknown = sorted(set(gates) - set(GATES))
        if unknown:
            raise ValueError(f"it names {', '.join(unknown)}; the gates are {', '.join(GATES)}")
        return gates

    @field_validator("now", mode="before")
    @classmethod
    def _read_now(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return None
        try:
            moment = value if isinstance(value, datetime) else read_moment(value, "it")
        except SettingsError as error:
            raise ValueError(str(error)) from None
        if info.data.get("profile") == "gcp" and not any(map(os.environ.get, _EMULATORS)):
            raise ValueError("only emulators of Google Cloud accept it")
        return moment

    @field_validator(*_GCP_NAMES)
    @classmethod
    def _check_gcp_name(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("profile") == "gcp":
            if value is None:
                raise ValueError("the profile gcp requires it")
            if not _GCP_NAMES[info.field_name or ""].fullmatch(value):
                raise ValueError("Google Cloud does not accept it")
        return value

    @property
    def gcp(self) -> GoogleCloud | None:
        """The names in Google Cloud; None for the profile embedded."""
        if self.profile != "gcp" or self.gcp_project is None:
            return None
        return GoogleCloud(
            self.gcp_project, self.gcp_location, self.gcp_dataset, self.gcp_database, self.gcp_topic
        )

    @property
    def gate_thresholds(self) -> GateThresholds:
        """The thresholds of the gates."""
        return GateThresholds(self.min_line_share, self.max_line_age_days, self.max_games_missing)


def _variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def _accepts(field: str) -> str:
    extra: Any = Settings.model_fields[field].json_schema_extra
    return str(extra["accepts"])


def _explain(error: ErrorDetails) -> str:
    """Return one line about an invalid setting: its variable, its value and a valid example."""
    field = str(error["loc"][0])
    variable, value = _variable(field), error["input"]
    if value is not None and "SecretStr" in str(Settings.model_fields[field].annotation):
        value = "****"
    problem = f"{variable} is not set" if value is None else f"{variable}={value} is not valid"
    if error["type"] == "value_error":
        problem += f": {error['ctx']['error']}"
    (example,) = Settings.model_fields[field].examples or [""]
    return f"{problem}; use {_accepts(field)}, for example {variable}={example}"


def _misspelled(variables: Mapping[str, str]) -> list[str]:
    """Return a line about each misspelled variable, and warn about other unknown variables.

    Unknown variables are allowed. A later version of the pipeline may have them, and Kubernetes
    sets variables such as NBA_PREDICTIONS_SERVICE_HOST for a service of that name.
    """
    problems = []
    known = {_variable(field) for field in Settings.model_fields}
    for name in sorted(set(variables) - known):
        if not name.startswith(PREFIX) or name.startswith(_TEST_PREFIX):
            continue
        suffixes = [variable.removeprefix(PREFIX) for variable in sorted(known)]
        similar = difflib.get_close_matches(
            name.removeprefix(PREFIX), suffixes, n=1, cutoff=_MISSPELLED
        )
        if similar:
            problems.append(f"{name} is unknown; did you mean {PREFIX}{similar[0]}?")
        else:
            logging.getLogger(__name__).warning("%s is not a setting and has no effect", name)
    return problems


def settings_table() -> str:
    """Return the table of all settings in Markdown."""
    lines = ["| variable | default | meaning | accepted values |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        extra: Any = field.json_schema_extra
        cells = (f"`{_variable(name)}`", extra["default_text"], field.description, extra["accepts"])
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def with_settings_table(page: str) -> str:
    """Return a page in Markdown whose table of settings is replaced by the current one."""
    start, end = "<!-- settings: updated by `make docs` -->\n", "<!-- end of settings -->\n"
    before, _, rest = page.partition(start)
    return before + start + settings_table() + end + rest.partition(end)[2]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        path.write_text(with_settings_table(path.read_text("utf-8")), "utf-8")
