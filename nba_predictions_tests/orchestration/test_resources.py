"""What the resources show, share and refuse."""

from pathlib import Path

import dagster as dg
import pytest

from nba_predictions.definitions import build_definitions, build_resources, configured_resources
from nba_predictions.domain.errors import SettingsError
from nba_predictions.settings import Settings
from nba_predictions_tests.dagster_internals import RepositorySnap

CLOUD = {"NBA_PREDICTIONS_PROFILE": "gcp", "NBA_PREDICTIONS_GCP_PROJECT": "my-project"}


@pytest.mark.parametrize("name", ["warehouse", "batches", "publisher"])
def test_runs_and_ticks_of_a_process_share_the_google_cloud_clients(name: str) -> None:
    context = dg.build_init_resource_context()
    first, second = (
        configured_resources(Settings.from_environment(CLOUD))[name].create_resource(context)
        for _ in range(2)
    )
    assert first is second
    other = {**CLOUD, "NBA_PREDICTIONS_GCP_PROJECT": "other-project"}
    resource = configured_resources(Settings.from_environment(other))[name]
    assert resource.create_resource(context) is not first


def test_every_tick_opens_the_input_source_again() -> None:
    context = dg.build_init_resource_context()
    league = configured_resources(Settings.from_environment({}))["league"]
    assert league.create_resource(context) is not league.create_resource(context)


def test_runs_and_ticks_of_a_process_share_what_the_live_source_has_read(tmp_path: Path) -> None:
    context = dg.build_init_resource_context()
    variables = {
        "NBA_PREDICTIONS_SOURCE": "live",
        "NBA_PREDICTIONS_HOME": str(tmp_path),
        "NBA_PREDICTIONS_ODDS_API_KEY": "a-key",
    }
    first, second = (
        configured_resources(Settings.from_environment(variables))["league"].create_resource(
            context
        )
        for _ in range(2)
    )
    assert first is second
    assert first.name == "live"
    # Nothing is landed yet, and the definitions load all the same.
    assert first.first_date is None
    assert list(tmp_path.iterdir()) == []


def test_an_unsupported_alert_url_is_refused_when_the_definitions_load() -> None:
    settings = Settings.from_environment({"NBA_PREDICTIONS_ALERT_URLS": "nope://secret-token"})
    with pytest.raises(SettingsError, match="apprise does not support") as refused:
        configured_resources(settings)
    assert "secret-token" not in str(refused.value)


def shown(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the configuration of each resource on the resources page of the UI, as text."""
    repository = build_definitions(configured_resources(settings)).get_repository_def()
    return {
        resource.name: {key: str(value) for key, value in resource.configured_values.items()}
        for resource in RepositorySnap.from_def(repository).resources or []
        if resource.is_top_level
    }


@pytest.mark.parametrize("profile", ["embedded", "gcp"])
def test_the_resources_page_shows_the_configuration_of_every_resource(
    profile: str, tmp_path: Path
) -> None:
    variables = {
        "NBA_PREDICTIONS_PROFILE": profile,
        "NBA_PREDICTIONS_GCP_PROJECT": "my-project",
        "NBA_PREDICTIONS_HOME": str(tmp_path),
        "NBA_PREDICTIONS_SOURCE": "files",
        "NBA_PREDICTIONS_DATA": str(tmp_path),
        "NBA_PREDICTIONS_ALERT_URLS": "json://user:secret-token@localhost",
    }
    page = shown(Settings.from_environment(variables))
    assert set(page) == {
        *("settings", "league", "fetcher", "model_store", "notifier", "frames", "values"),
        *("warehouse", "batches", "publisher"),
    }
    assert [name for name, values in page.items() if not values] == []
    assert page["frames"] == page["values"] == {"folder": f'"{tmp_path}/assets"'}
    assert f'"profile": "{profile}"' in page["settings"]["values"]
    assert "NBA_PREDICTIONS_ALERT_URLS" in page["notifier"]["urls"]
    assert "secret-token" not in str(page)


def test_the_settings_come_back_from_the_configuration_of_their_resource(tmp_path: Path) -> None:
    variables = {
        "NBA_PREDICTIONS_DATA": str(tmp_path),
        "NBA_PREDICTIONS_CODE_URL": "https://example.com/code",
        "NBA_PREDICTIONS_GATES_ONLY_WARN": "none",
        "NBA_PREDICTIONS_MIN_LINE_SHARE": "0.25",
    }
    for environment in ({}, variables, {**variables, **CLOUD}):
        settings = Settings.from_environment(environment)
        assert build_resources(settings)["settings"] == settings
