"""What the resources show, share and refuse."""

import dagster as dg
import pytest

from nba_predictions.definitions import configured_resources
from nba_predictions.domain.errors import SettingsError
from nba_predictions.settings import Settings

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


def test_an_unsupported_alert_url_is_refused_when_the_definitions_load() -> None:
    settings = Settings.from_environment({"NBA_PREDICTIONS_ALERT_URLS": "nope://secret-token"})
    with pytest.raises(SettingsError, match="apprise does not support") as refused:
        configured_resources(settings)
    assert "secret-token" not in str(refused.value)
