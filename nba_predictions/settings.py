"""The settings of the pipeline, all from environment variables.

| variable | default | meaning |
|---|---|---|
| NBA_PREDICTIONS_PROFILE | embedded | which backends are used: `embedded`, or `gcp` |
| NBA_PREDICTIONS_SOURCE | simulated | `simulated` league, or `files` |
| NBA_PREDICTIONS_DATA | | the folder with input files, for `files` |
| NBA_PREDICTIONS_HOME | .nba_predictions/SOURCE | where everything is kept that is kept in files |
| NBA_PREDICTIONS_COMPLETION_THRESHOLD | 0.9 | share of players below which a night is blocked |
| NBA_PREDICTIONS_ALERT_URLS | | where alerts go: apprise URLs, separated by blanks |
| NBA_PREDICTIONS_UI_URL | http://localhost:3000 | where the Dagster UI is, for links in alerts |
| NBA_PREDICTIONS_CODE_URL | | where the code is read in a browser; the UI links to it |
| NBA_PREDICTIONS_GATES | wait | what a night does whose inputs are below a bar: `wait`, or `warn` |
| NBA_PREDICTIONS_GATES_ONLY_WARN | injury_report_is_there | gates that never wait; `none` |
| NBA_PREDICTIONS_MIN_LINE_SHARE | 0.35 | share of players who need a line; 0: none is wanted |
| NBA_PREDICTIONS_MAX_LINE_AGE_DAYS | 1 | how old the newest line of a game may be |
| NBA_PREDICTIONS_MAX_GAMES_MISSING | 1 | games of the week before without a box score |

Only for the profile `gcp`, with the defaults of the source `files`; other sources have their own:

| variable | default | meaning |
|---|---|---|
| NBA_PREDICTIONS_GCP_PROJECT | | the project that holds and pays everything |
| NBA_PREDICTIONS_GCP_LOCATION | US | where BigQuery keeps the datasets |
| NBA_PREDICTIONS_GCP_DATASET | nba_predictions | dataset of the tables; DATASET_staging beside it |
| NBA_PREDICTIONS_GCP_DATABASE | (default) | the Firestore database |
| NBA_PREDICTIONS_GCP_TOPIC | nba-phase5-predictions-complete | and TOPIC-dead-letters |
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nba_predictions.domain.batches.batch import DEFAULT_COMPLETION_THRESHOLD
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.messages.completion import TOPIC
from nba_predictions.domain.policies.input_gates import GATES, MODES, Bars

PROFILES = ("embedded", "gcp")
SOURCES = ("simulated", "files")
#: Where `dagster dev` serves the UI.
DEFAULT_UI_URL = "http://localhost:3000"
_CODE_URL_EXAMPLE = "https://github.com/OWNER/nba_predictions/blob/main"


@dataclass(frozen=True)
class GoogleCloud:
    """Where in Google Cloud a night happens."""

    project: str
    location: str
    dataset: str
    database: str
    topic: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], source: str) -> GoogleCloud:
        """Read and check the settings. Simulated nights have places of their own by default.

        Raises:
            SettingsError: naming the variable, its value and an example.
        """
        apart = "" if source == "files" else source

        def name(variable: str, default: str | None, pattern: str, example: str) -> str:
            value = environment.get(variable) or default
            if value is None:
                raise SettingsError(
                    f"{variable} is not set; the profile gcp needs it, e.g. {variable}={example}"
                )
            if not re.fullmatch(pattern, value):
                raise SettingsError(
                    f"{variable}={value} cannot be used; it has to look like {example}"
                )
            return value

        return cls(
            project=name(
                "NBA_PREDICTIONS_GCP_PROJECT",
                None,
                r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
                "my-nba-project",
            ),
            location=name(
                "NBA_PREDICTIONS_GCP_LOCATION", "US", r"[A-Za-z][A-Za-z0-9-]+", "US or europe-west1"
            ),
            dataset=name(
                "NBA_PREDICTIONS_GCP_DATASET",
                "_".join(filter(None, ("nba_predictions", apart))),
                r"[A-Za-z0-9_]{1,1000}",
                "nba_predictions",
            ),
            database=name(
                "NBA_PREDICTIONS_GCP_DATABASE",
                "(default)",
                r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]",
                "(default)",
            ),
            topic=name(
                "NBA_PREDICTIONS_GCP_TOPIC",
                "-".join(filter(None, (TOPIC, apart))),
                r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,240}",
                TOPIC,
            ),
        )


@dataclass(frozen=True)
class Settings:
    """Checked settings. `home` is absolute; every source has a home of its own by default, so that
    simulated and real predictions never share a table."""

    profile: str
    source: str
    data: Path | None
    home: Path
    completion_threshold: float
    gcp: GoogleCloud | None = None
    #: They hold tokens and passwords, and are not to be printed with the settings.
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    ui_url: str = DEFAULT_UI_URL
    code_url: str | None = None
    gates: str = MODES[0]
    gates_only_warn: frozenset[str] = frozenset({"injury_report_is_there"})
    bars: Bars = field(default_factory=Bars)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check the settings.

        Raises:
            SettingsError: naming the variable, its value and what it may be.
        """
        profile = _choice(environment, "NBA_PREDICTIONS_PROFILE", PROFILES)
        source = _choice(environment, "NBA_PREDICTIONS_SOURCE", SOURCES)
        data = environment.get("NBA_PREDICTIONS_DATA") or None
        if source == "files" and data is None:
            raise SettingsError(
                "NBA_PREDICTIONS_DATA is not set; the source `files` needs the folder with the "
                "input files, e.g. NBA_PREDICTIONS_DATA=./data (docs/input-files.md)"
            )
        if source == "files" and data and not Path(data).is_dir():
            raise SettingsError(
                f"NBA_PREDICTIONS_DATA={data} is no folder; name the one with the input files"
            )
        gcp = GoogleCloud.from_environment(environment, source) if profile == "gcp" else None
        folder = f"gcp-{source}" if gcp else source
        home = Path(environment.get("NBA_PREDICTIONS_HOME") or f".nba_predictions/{folder}")
        return cls(
            profile=profile,
            source=source,
            data=Path(data).resolve() if data else None,
            home=home.resolve(),
            completion_threshold=_threshold(environment),
            gcp=gcp,
            alert_urls=tuple(environment.get("NBA_PREDICTIONS_ALERT_URLS", "").split()),
            ui_url=(
                _web_address(environment, "NBA_PREDICTIONS_UI_URL", DEFAULT_UI_URL)
                or DEFAULT_UI_URL
            ),
            code_url=_web_address(environment, "NBA_PREDICTIONS_CODE_URL", _CODE_URL_EXAMPLE),
            gates=_choice(environment, "NBA_PREDICTIONS_GATES", MODES),
            gates_only_warn=_only_warn(environment),
            bars=_bars(environment),
        )


def _only_warn(environment: Mapping[str, str]) -> frozenset[str]:
    variable = "NBA_PREDICTIONS_GATES_ONLY_WARN"
    text = environment.get(variable) or "injury_report_is_there"
    names = frozenset(name.strip() for name in text.split(",")) - {"none"}
    if not names <= set(GATES):
        raise SettingsError(
            f"{variable}={text}: there is no gate {', '.join(sorted(names - set(GATES)))}; choose "
            f"among {', '.join(GATES)}, separated by commas, or none"
        )
    return names


def _bars(environment: Mapping[str, str]) -> Bars:
    return Bars(
        min_line_share=_number(
            environment,
            "NBA_PREDICTIONS_MIN_LINE_SHARE",
            Bars.min_line_share,
            lambda value: 0.0 <= value <= 1.0,
            "a share from 0 (no line is wanted) to 1, as 0.35",
        ),
        max_line_age_days=int(
            _number(
                environment,
                "NBA_PREDICTIONS_MAX_LINE_AGE_DAYS",
                Bars.max_line_age_days,
                lambda value: value in range(31),
                "a whole number of days from 0 to 30",
            )
        ),
        max_games_missing=int(
            _number(
                environment,
                "NBA_PREDICTIONS_MAX_GAMES_MISSING",
                Bars.max_games_missing,
                lambda value: value in range(101),
                "a whole number of games from 0 to 100",
            )
        ),
    )


def _number(
    environment: Mapping[str, str],
    variable: str,
    default: float,
    allowed: Callable[[float], bool],
    what: str,
) -> float:
    text = environment.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not allowed(value):
        raise SettingsError(f"{variable}={text} cannot be used; choose {what}")
    return value


def _choice(environment: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    value = environment.get(variable) or choices[0]
    if value not in choices:
        raise SettingsError(f"{variable}={value} is unknown; choose {' or '.join(choices)}")
    return value


def _web_address(environment: Mapping[str, str], variable: str, example: str) -> str | None:
    value = environment.get(variable) or None
    if value is not None and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise SettingsError(
            f"{variable}={value} is no address of a web page; it has to look like {example}"
        )
    return value


def _threshold(environment: Mapping[str, str]) -> float:
    variable = "NBA_PREDICTIONS_COMPLETION_THRESHOLD"
    text = environment.get(variable) or str(DEFAULT_COMPLETION_THRESHOLD)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1.0:
        raise SettingsError(f"{variable}={text} is no share; choose above 0 and at most 1, as 0.9")
    return value
