"""The run configuration that the launchpad shows, and what its options mean."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from nba_predictions.definitions import defs
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.nightly.open_batch import BatchTerms
from nba_predictions.orchestration.assets import features
from nba_predictions.orchestration.catalog import cataloged
from nba_predictions.orchestration.run_config import FanOutConfig, Mode, fan_out
from nba_predictions.orchestration.run_tags import MODE_TAG
from nba_predictions_tests.dagster_internals import ConfigType

JOBS = sorted(
    job.name for job in defs.get_repository_def().get_all_jobs() if not job.name.startswith("__")
)


def fields(kind: ConfigType, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every field below a type of configuration, with where it is."""
    for name, field in (getattr(kind, "fields", None) or {}).items():
        yield f"{path}.{name}", field
        yield from fields(field.config_type, f"{path}.{name}")


def configurable(job: str) -> dict[str, Any]:
    """Return what our own ops and assets can be configured with, by where it is."""
    schema = defs.resolve_job_def(job).run_config_schema.run_config_schema_type
    return {
        path: field
        for path, field in fields(schema, "")
        if path.startswith(".ops.") and ".config." in path
    }


TERMS = BatchTerms("test")


@pytest.mark.parametrize("job", JOBS)
def test_whatever_can_be_configured_says_what_it_is(job: str) -> None:
    bare = [path for path, field in configurable(job).items() if not field.description]
    assert bare == []


@pytest.mark.parametrize("job", JOBS)
def test_nothing_has_to_be_configured(job: str) -> None:
    assert [path for path, field in configurable(job).items() if field.is_required] == []


def test_the_nightly_job_can_be_configured_at_all() -> None:
    names = {path.rsplit(".", 1)[1] for path in configurable("nightly_predictions")}
    assert names >= {"chunk_size", "mode", "players", "batch_id", "threads"}


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"chunk_size": 0}, "greater than or equal to 1"),
        ({"chunk_size": 501}, "less than or equal to 500"),
        ({"batch_id": "2026-01-15"}, "should match pattern"),
        ({"mode": "twice"}, "'predict', 'refresh', 'replay' or 'finish'|Input should be"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(
    config: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        FanOutConfig(**config)


@pytest.mark.parametrize(
    ("config", "job_is_for", "mode"),
    [
        ({}, None, Mode.predict),
        ({}, Mode.replay, Mode.replay),
        ({}, Mode.finish, Mode.finish),
        ({"mode": Mode.replay}, None, Mode.replay),
        ({"mode": Mode.finish}, Mode.replay, Mode.finish),
        ({"mode": Mode.predict}, Mode.replay, Mode.predict),
        ({"players": ["paulgeorge"]}, Mode.replay, Mode.replay),
        ({"refresh_past": True}, Mode.refresh, Mode.refresh),
    ],
)
def test_a_run_does_what_is_configured_else_what_its_job_is_for(
    config: dict[str, Any], job_is_for: Mode | None, mode: Mode
) -> None:
    tags = {MODE_TAG: job_is_for.name} if job_is_for else {}
    assert FanOutConfig(**config).request(tags, TERMS).mode is mode


@pytest.mark.parametrize(
    "config", [{"players": ["paulgeorge"]}, {"batch_id": "batch_2026-01-15_1768460400"}]
)
def test_naming_whom_to_replay_where_nobody_is_replayed_is_an_error(
    config: dict[str, Any],
) -> None:
    with pytest.raises(BatchStateError, match="use the job replay_players"):
        FanOutConfig(**config).request({}, TERMS)


def test_refreshing_the_past_where_nothing_is_refreshed_is_an_error() -> None:
    config: dict[str, Any] = {"refresh_past": True}
    with pytest.raises(BatchStateError, match="use the job refresh_predictions"):
        FanOutConfig(**config).request({MODE_TAG: Mode.replay.name}, TERMS)


#: In an order that is the same in every process: workers have to collect the same tests.
SPECS = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)

JOBS_WITH_A_MODE = [
    ("refresh_predictions", Mode.refresh),
    ("replay_players", Mode.replay),
    ("finish_batch", Mode.finish),
]


@pytest.mark.parametrize(("job", "mode"), JOBS_WITH_A_MODE)
def test_a_job_tells_its_runs_what_it_is_for(job: str, mode: Mode) -> None:
    assert defs.resolve_job_def(job).run_tags[MODE_TAG] == mode.name
    # The launchpad begins with it as soon as a date is chosen.
    configured = defs.resolve_job_def(job).partitioned_config
    assert configured is not None
    assert configured.get_run_config_for_partition_key("2026-01-15") == fan_out(mode)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.key.path[-1])
def test_an_asset_says_what_to_do_when_it_fails_who_owns_it_and_where_its_code_is(
    spec: dg.AssetSpec,
) -> None:
    what, _, then = (spec.description or "").partition("\n\n")
    assert what.strip()
    assert "fails" in then
    assert spec.owners
    assert spec.kinds
    assert spec.tags["phase"] in {"5", "6"}
    found = spec.metadata["dagster/code_references"]
    assert isinstance(found, dg.CodeReferencesMetadataValue)
    (reference,) = found.code_references
    assert isinstance(reference, dg.LocalFileCodeReference)
    assert "/nba_predictions/orchestration/assets/" in reference.file_path
    assert reference.line_number


def test_with_an_address_of_the_code_each_asset_links_to_its_line_there() -> None:
    found = cataloged([features.slate], "https://example.org/code/blob/main/")
    (spec,) = found[0].specs
    (reference,) = spec.metadata["dagster/code_references"].code_references
    address, _, line = reference.url.partition("#L")
    assert (
        address
        == "https://example.org/code/blob/main/nba_predictions/orchestration/assets/features.py"
    )
    following = inspect.getsource(features).splitlines()[int(line) - 1 :]
    assert next(text for text in following if text.startswith("def ")) == "def slate("


def test_every_asset_of_a_date_has_to_be_fresh_and_no_players_night_has() -> None:
    late = {
        spec.key.to_user_string()
        for spec in defs.resolve_all_asset_specs()
        if spec.freshness_policy is None
    }
    assert late == {"player_staging"}
