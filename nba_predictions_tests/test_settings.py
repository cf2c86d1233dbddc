"""Settings: defaults, accepted values, and errors that name all problems."""

import logging
import os
import re
from pathlib import Path

import pytest

from nba_predictions.domain.batches.batch import DEFAULT_COMPLETION_THRESHOLD
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.policies.input_gates import GateThresholds
from nba_predictions.settings import GoogleCloud, Settings

HERE = Path(__file__).resolve().parent
GCP = {"NBA_PREDICTIONS_PROFILE": "gcp", "NBA_PREDICTIONS_GCP_PROJECT": "my-project"}


def test_every_setting_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.model_dump() == {
        "profile": "embedded",
        "source": "simulated",
        "data": None,
        "home": tmp_path.resolve() / ".nba_predictions" / "simulated",
        "completion_threshold": DEFAULT_COMPLETION_THRESHOLD,
        "alert_urls": (),
        "ui_url": "http://localhost:3000",
        "ui_hosts": frozenset(),
        "ui_token": None,
        "code_url": None,
        "gates": "wait",
        "gates_only_warn": frozenset({"injury_report_is_there"}),
        "min_line_share": 0.35,
        "max_line_age_days": 1,
        "max_games_missing": 1,
        "max_rejected_share": 0.02,
        "max_run_seconds": 3600,
        "landing": str(tmp_path.resolve() / ".nba_predictions" / "simulated" / "landing"),
        "odds_api_key": None,
        "odds_polls": 2,
        "odds_credits_per_day": 32,
        "odds_credits_per_month": 500,
        "odds_books": "",
        "nba_stats_url": "https://stats.nba.com/stats",
        "nba_cdn_url": "https://cdn.nba.com/static/json",
        "espn_url": "https://site.api.espn.com/apis/site/v2/sports/basketball/nba",
        "odds_api_url": "https://api.the-odds-api.com/v4",
        "injury_report_url": "https://ak-static.cms.nba.com/referee/injury",
        "nba_headers": {},
        "request_pause_seconds": 2.0,
        "request_timeout_seconds": 30.0,
        "transport": "requests",
        "proxy": None,
        "now": None,
        "gcp_project": None,
        "gcp_location": "US",
        "gcp_dataset": "nba_predictions_simulated",
        "gcp_database": "(default)",
        "gcp_topic": "nba-phase5-predictions-complete-simulated",
    }
    assert settings.gate_thresholds == GateThresholds()
    assert settings.gcp is None


def test_only_from_environment_reads_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_GATES", "warn")
    assert Settings().gates == Settings.from_environment({}).gates == "wait"
    assert Settings.from_environment(os.environ).gates == "warn"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described_with_a_valid_example(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only emulators accept another moment.
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "localhost:1")
    setting = Settings.model_fields[field]
    assert setting.description
    (example,) = setting.examples or []
    example = str(HERE) if field == "data" else example
    variable = f"NBA_PREDICTIONS_{field.upper()}"
    settings = Settings.from_environment(
        {**GCP, "NBA_PREDICTIONS_DATA": str(HERE), variable: example}
    )
    assert getattr(settings, field) is not None


def test_google_cloud_itself_refuses_another_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRESTORE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="only emulators of Google Cloud accept it"):
        Settings.from_environment({**GCP, "NBA_PREDICTIONS_NOW": "2026-01-15T12:00:00Z"})


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = {f"NBA_PREDICTIONS_{field.upper()}": "" for field in Settings.model_fields}
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_sources_do_not_share_a_home() -> None:
    files = {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": str(HERE)}
    assert Settings.from_environment(files).home != Settings.from_environment({}).home


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment(
        {
            "NBA_PREDICTIONS_SOURCE": "files",
            "NBA_PREDICTIONS_DATA": "data",
            "NBA_PREDICTIONS_HOME": "home",
        }
    )
    assert settings.data == tmp_path.resolve() / "data"
    assert settings.home == tmp_path.resolve() / "home"


@pytest.mark.parametrize("text", ["1", "1.0", "0.5", "0.001"])
def test_a_share_is_a_threshold(text: str) -> None:
    environment = {"NBA_PREDICTIONS_COMPLETION_THRESHOLD": text}
    assert Settings.from_environment(environment).completion_threshold == float(text)


@pytest.mark.parametrize("text", ["0", "-0.1", "1.01", "90", "90%", "nan", "inf", "most"])
def test_other_values_are_not_a_threshold(text: str) -> None:
    with pytest.raises(SettingsError, match=f"NBA_PREDICTIONS_COMPLETION_THRESHOLD={text} "):
        Settings.from_environment({"NBA_PREDICTIONS_COMPLETION_THRESHOLD": text})


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        (
            {"PROFILE": "gpc"},
            (
                "NBA_PREDICTIONS_PROFILE=gpc is not valid; use embedded or gcp, for example "
                "NBA_PREDICTIONS_PROFILE=gcp"
            ),
        ),
        ({"SOURCE": "file"}, "SOURCE=file is not valid; use simulated, files or live, for example"),
        (
            {"SOURCE": "files"},
            (
                "NBA_PREDICTIONS_DATA is not set: the source files requires it; use an existing "
                "folder with input files, for example NBA_PREDICTIONS_DATA=./data"
            ),
        ),
        (
            {"SOURCE": "files", "DATA": "/no/such/folder"},
            "NBA_PREDICTIONS_DATA=/no/such/folder is not valid: it is not a folder; use",
        ),
        ({"SOURCE": "files", "DATA": __file__}, "is not valid: it is not a folder; use"),
    ],
)
def test_an_error_names_the_variable_its_value_and_an_example(
    environment: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({f"NBA_PREDICTIONS_{k}": v for k, v in environment.items()})
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_an_error_lists_all_problems_one_per_line() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment(
            {
                "NBA_PREDICTIONS_PROFILE": "gcp",
                "NBA_PREDICTIONS_SOURCE": "files",
                "NBA_PREDICTIONS_MIN_LINE_SHARE": "35",
                "NBA_PREDICTIONS_GCP_DATASET": "nba-predictions",
                "NBA_PREDICTIONS_COMPLETION_TRESHOLD": "0.5",
            }
        )
    assert [line.split(maxsplit=1)[0] for line in str(error.value).splitlines()] == [
        "NBA_PREDICTIONS_COMPLETION_TRESHOLD",
        "NBA_PREDICTIONS_DATA",
        "NBA_PREDICTIONS_MIN_LINE_SHARE=35",
        "NBA_PREDICTIONS_GCP_PROJECT",
        "NBA_PREDICTIONS_GCP_DATASET=nba-predictions",
    ]


def test_an_invalid_profile_or_source_is_the_only_problem() -> None:
    """The defaults that depend on it are not reported as problems."""
    for name in ("PROFILE", "SOURCE"):
        with pytest.raises(SettingsError) as error:
            Settings.from_environment({f"NBA_PREDICTIONS_{name}": "other"})
        assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NBA_PREDICTIONS_ALERT_URL", "NBA_PREDICTIONS_ALERT_URLS"),
        ("NBA_PREDICTIONS_COMPLETION_TRESHOLD", "NBA_PREDICTIONS_COMPLETION_THRESHOLD"),
        ("NBA_PREDICTIONS_GCPPROJECT", "NBA_PREDICTIONS_GCP_PROJECT"),
    ],
)
def test_a_misspelled_variable_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is unknown; did you mean {meant}"):
        Settings.from_environment({name: "1"})


def test_other_unknown_variables_cause_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = {
        "NBA_PREDICTIONS_SERVICE_HOST": "10.0.0.1",
        "NBA_PREDICTIONS_PORT_80_TCP": "tcp://10.0.0.1:80",
        "NBA_PREDICTIONS_TEST_DATA": "data",
        "NBA_PREDICTION_HOME": "elsewhere",
    }
    warnings: list[str] = []
    # Handlers and levels of loggers depend on the tests that ran before in this process.
    monkeypatch.setattr(
        logging.getLogger("nba_predictions.settings"),
        "warning",
        lambda message, *values: warnings.append(message % values),
    )
    assert Settings.from_environment(unknown) == Settings()
    assert warnings == [
        "NBA_PREDICTIONS_PORT_80_TCP is not a setting and has no effect",
        "NBA_PREDICTIONS_SERVICE_HOST is not a setting and has no effect",
    ]


def test_the_address_of_the_code_is_an_address_or_none() -> None:
    variable, address = "NBA_PREDICTIONS_CODE_URL", "https://example.org/team/code/blob/main"
    assert Settings.from_environment({}).code_url is None
    assert Settings.from_environment({variable: address}).code_url == address
    with pytest.raises(
        SettingsError, match=f"{variable}=main is not valid: it is not the address of a web page"
    ):
        Settings.from_environment({variable: "main"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("GATES", "off", "NBA_PREDICTIONS_GATES=off is not valid; use wait or warn"),
        ("GATES_ONLY_WARN", "lines_are_fresh,all", "it names all; the gates are schedule_is_known"),
        ("MIN_LINE_SHARE", "35", "MIN_LINE_SHARE=35 is not valid; use a share from 0 to 1"),
        ("MIN_LINE_SHARE", "nan", "MIN_LINE_SHARE=nan is not valid"),
        ("MAX_LINE_AGE_DAYS", "1.5", "MAX_LINE_AGE_DAYS=1.5 is not valid; use a whole number"),
        ("MAX_LINE_AGE_DAYS", "-1", "MAX_LINE_AGE_DAYS=-1 is not valid"),
        ("MAX_GAMES_MISSING", "some", "MAX_GAMES_MISSING=some is not valid"),
    ],
)
def test_an_invalid_setting_does_not_disable_a_gate(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({f"NBA_PREDICTIONS_{name}": value})
    assert words in str(error.value)


def test_bars_and_gates_are_read() -> None:
    settings = Settings.from_environment(
        {
            "NBA_PREDICTIONS_GATES": "warn",
            "NBA_PREDICTIONS_GATES_ONLY_WARN": "lines_are_fresh, no_game_is_missing",
            "NBA_PREDICTIONS_MIN_LINE_SHARE": "0",
            "NBA_PREDICTIONS_MAX_LINE_AGE_DAYS": "0",
            "NBA_PREDICTIONS_MAX_GAMES_MISSING": "3",
        }
    )
    assert settings.gates == "warn"
    assert settings.gates_only_warn == {"lines_are_fresh", "no_game_is_missing"}
    assert settings.gate_thresholds == GateThresholds(0.0, 0, 3)
    assert not settings.gate_thresholds.lines_wanted
    none = Settings.from_environment({"NBA_PREDICTIONS_GATES_ONLY_WARN": "none"})
    assert none.gates_only_warn == frozenset()


def test_the_embedded_profile_ignores_names_in_google_cloud() -> None:
    assert Settings.from_environment({"NBA_PREDICTIONS_GCP_PROJECT": "NOT A PROJECT"}).gcp is None


def test_real_and_simulated_nights_share_no_dataset_topic_or_home() -> None:
    files = {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": str(HERE)}
    real = Settings.from_environment({**GCP, **files})
    simulated = Settings.from_environment(GCP)
    assert real.gcp == GoogleCloud(
        "my-project", "US", "nba_predictions", "(default)", "nba-phase5-predictions-complete"
    )
    assert simulated.gcp == GoogleCloud(
        "my-project",
        "US",
        "nba_predictions_simulated",
        "(default)",
        "nba-phase5-predictions-complete-simulated",
    )
    assert len({real.home, simulated.home, Settings.from_environment({}).home}) == 3


def test_the_gcp_profile_requires_a_project() -> None:
    with pytest.raises(
        SettingsError, match=r"NBA_PREDICTIONS_GCP_PROJECT is not set.*for example "
    ):
        Settings.from_environment({"NBA_PREDICTIONS_PROFILE": "gcp"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROJECT", "My Project"),
        ("LOCATION", "europe west"),
        ("DATASET", "nba-predictions"),
        ("DATABASE", "Default"),
        ("TOPIC", "goog-topic"),
        ("TOPIC", "projects/p/topics/t"),
    ],
)
def test_a_name_that_google_cloud_does_not_accept_is_refused(name: str, value: str) -> None:
    variable = f"NBA_PREDICTIONS_GCP_{name}"
    with pytest.raises(SettingsError, match=f"{variable}={value} is not valid.*for example"):
        Settings.from_environment({**GCP, variable: value})


def test_alert_urls_are_separated_by_spaces_and_never_printed() -> None:
    urls = " slack://a/b/TIiajkdnlazkcOXr\n\tmailtos://me:passw0rd@example.com  "
    settings = Settings.from_environment({"NBA_PREDICTIONS_ALERT_URLS": urls})
    assert tuple(url.get_secret_value() for url in settings.alert_urls) == (
        "slack://a/b/TIiajkdnlazkcOXr",
        "mailtos://me:passw0rd@example.com",
    )
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "TIiajkdnlazkcOXr" not in text
        assert "passw0rd" not in text


@pytest.mark.parametrize(
    "address", ["http://localhost:3000", "https://dagster.example.com", "https://x.org/dagster/"]
)
def test_the_ui_has_the_address_of_a_web_page(address: str) -> None:
    assert Settings.from_environment({"NBA_PREDICTIONS_UI_URL": address}).ui_url == address


@pytest.mark.parametrize("address", ["localhost:3000", "ftp://x", "https://", "http://x?y=1"])
def test_other_addresses_are_refused(address: str) -> None:
    variable = "NBA_PREDICTIONS_UI_URL"
    with pytest.raises(
        SettingsError, match=f"{variable}={re.escape(address)} is not valid: it is not the address"
    ):
        Settings.from_environment({variable: address})


def test_the_host_names_of_the_ui_are_separated_by_commas() -> None:
    settings = Settings.from_environment({"NBA_PREDICTIONS_UI_HOSTS": "ui.example.com, [fe80::1]"})
    assert settings.ui_hosts == {"ui.example.com", "[fe80::1]"}


@pytest.mark.parametrize("hosts", ["ui.example.com:3000", "https://ui.example.com", "a,,b", "*"])
def test_what_is_not_a_host_name_is_refused(hosts: str) -> None:
    with pytest.raises(SettingsError, match=r"UI_HOSTS=.* is not valid: it names"):
        Settings.from_environment({"NBA_PREDICTIONS_UI_HOSTS": hosts})


@pytest.mark.parametrize("token", ["too-short", "a token with some blanks"])
def test_a_weak_token_is_refused_and_not_printed(token: str) -> None:
    with pytest.raises(SettingsError, match="UI_TOKEN=") as refused:
        Settings.from_environment({"NBA_PREDICTIONS_UI_TOKEN": token})
    assert token not in str(refused.value)


def test_the_token_of_the_ui_is_never_printed() -> None:
    settings = Settings.from_environment({"NBA_PREDICTIONS_UI_TOKEN": "9f2c61d08b7e4a35"})
    assert settings.ui_token is not None
    assert "9f2c61d08b7e4a35" not in f"{settings!r} {settings} {settings.model_dump_json()}"
