import re
from pathlib import Path

import pytest

from nba_predictions.domain.batches.batch import DEFAULT_COMPLETION_THRESHOLD
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.policies.input_gates import Bars
from nba_predictions.settings import GoogleCloud, Settings

HERE = Path(__file__).resolve().parent


def test_with_nothing_set_everything_has_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings == Settings(
        profile="embedded",
        source="simulated",
        data=None,
        home=tmp_path.resolve() / ".nba_predictions" / "simulated",
        completion_threshold=DEFAULT_COMPLETION_THRESHOLD,
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    names = ("PROFILE", "SOURCE", "DATA", "HOME", "COMPLETION_THRESHOLD", "ALERT_URLS", "UI_URL")
    empty = {f"NBA_PREDICTIONS_{name}": "" for name in names}
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
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=f"NBA_PREDICTIONS_COMPLETION_THRESHOLD={text} "):
        Settings.from_environment({"NBA_PREDICTIONS_COMPLETION_THRESHOLD": text})


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"NBA_PREDICTIONS_PROFILE": "gpc"}, "NBA_PREDICTIONS_PROFILE=gpc is unknown; choose"),
        ({"NBA_PREDICTIONS_SOURCE": "file"}, "SOURCE=file is unknown; choose simulated or files"),
        ({"NBA_PREDICTIONS_SOURCE": "files"}, "NBA_PREDICTIONS_DATA is not set"),
        (
            {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": "/no/such/folder"},
            "NBA_PREDICTIONS_DATA=/no/such/folder is no folder",
        ),
        (
            {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": __file__},
            "is no folder",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name_and_value(
    environment: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(environment)
    assert words in str(refused.value)


def test_the_address_of_the_code_is_an_address_or_none() -> None:
    variable, address = "NBA_PREDICTIONS_CODE_URL", "https://example.org/team/code/blob/main"
    assert Settings.from_environment({}).code_url is None
    assert Settings.from_environment({variable: address}).code_url == address
    with pytest.raises(SettingsError, match=f"{variable}=main is no address of a web page"):
        Settings.from_environment({variable: "main"})


def test_the_documented_variables_are_the_ones_that_are_read() -> None:
    from nba_predictions import settings

    class Recording(dict[str, str]):
        asked: set[str] = set()  # noqa: RUF012

        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            self.asked.add(key)
            return super().get(key, default)

    environment = Recording(
        NBA_PREDICTIONS_PROFILE="gcp",
        NBA_PREDICTIONS_SOURCE="files",
        NBA_PREDICTIONS_DATA=str(HERE),
        NBA_PREDICTIONS_GCP_PROJECT="my-project",
    )
    Settings.from_environment(environment)
    documented = settings.__doc__ or ""
    assert all(f"| {variable} |" in documented for variable in environment.asked)
    assert documented.count("| NBA_PREDICTIONS_") == len(environment.asked)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("GATES", "off", "NBA_PREDICTIONS_GATES=off is unknown; choose wait or warn"),
        ("GATES_ONLY_WARN", "lines_are_fresh,all", "there is no gate all; choose among"),
        ("MIN_LINE_SHARE", "35", "MIN_LINE_SHARE=35 cannot be used; choose a share from 0"),
        ("MIN_LINE_SHARE", "nan", "MIN_LINE_SHARE=nan cannot be used"),
        ("MAX_LINE_AGE_DAYS", "1.5", "MAX_LINE_AGE_DAYS=1.5 cannot be used; choose a whole"),
        ("MAX_LINE_AGE_DAYS", "-1", "MAX_LINE_AGE_DAYS=-1 cannot be used"),
        ("MAX_GAMES_MISSING", "some", "MAX_GAMES_MISSING=some cannot be used"),
    ],
)
def test_a_gate_cannot_be_opened_by_a_setting_that_nobody_understands(
    name: str, value: str, words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({f"NBA_PREDICTIONS_{name}": value})
    assert words in str(refused.value)


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
    assert settings.bars == Bars(0.0, 0, 3)
    assert not settings.bars.lines_wanted
    none = Settings.from_environment({"NBA_PREDICTIONS_GATES_ONLY_WARN": "none"})
    assert none.gates_only_warn == frozenset()


GCP = {"NBA_PREDICTIONS_PROFILE": "gcp", "NBA_PREDICTIONS_GCP_PROJECT": "my-project"}


def test_the_embedded_profile_asks_for_nothing_of_google() -> None:
    assert Settings.from_environment({"NBA_PREDICTIONS_GCP_PROJECT": "NOT A PROJECT"}).gcp is None


def test_real_and_simulated_nights_have_no_place_in_common() -> None:
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


def test_a_missing_project_is_asked_for_with_an_example() -> None:
    with pytest.raises(SettingsError, match=r"NBA_PREDICTIONS_GCP_PROJECT is not set.*e\.g\. "):
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
def test_a_name_that_google_would_refuse_is_refused_first(name: str, value: str) -> None:
    variable = f"NBA_PREDICTIONS_GCP_{name}"
    with pytest.raises(SettingsError, match=f"{variable}={value} cannot be used.*look like"):
        Settings.from_environment({**GCP, variable: value})


def test_destinations_of_alerts_are_separated_by_blanks_and_not_printed_with_the_settings() -> None:
    urls = " slack://a/b/TIiajkdnlazkcOXr\n\tmailtos://me:passw0rd@example.com  "
    settings = Settings.from_environment({"NBA_PREDICTIONS_ALERT_URLS": urls})
    assert settings.alert_urls == (
        "slack://a/b/TIiajkdnlazkcOXr",
        "mailtos://me:passw0rd@example.com",
    )
    assert "TIiajkdnlazkcOXr" not in repr(settings)
    assert "passw0rd" not in repr(settings)


@pytest.mark.parametrize(
    "address", ["http://localhost:3000", "https://dagster.example.com", "https://x.org/dagster/"]
)
def test_an_address_of_a_web_page_is_where_the_ui_is(address: str) -> None:
    assert Settings.from_environment({"NBA_PREDICTIONS_UI_URL": address}).ui_url == address


@pytest.mark.parametrize("address", ["localhost:3000", "ftp://x", "https://", "http://x?y=1"])
def test_what_is_no_address_of_a_web_page_is_refused(address: str) -> None:
    variable = "NBA_PREDICTIONS_UI_URL"
    with pytest.raises(SettingsError, match=f"{variable}={re.escape(address)} is no address"):
        Settings.from_environment({variable: address})
