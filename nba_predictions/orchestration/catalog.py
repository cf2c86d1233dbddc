"""What the catalog of the Dagster UI shows of every asset besides its own words."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

import nba_predictions
from nba_predictions.domain.league.games import EASTERN

#: The night is predicted from 07:00 Eastern on; who comes at 08:00 wants it there.
FRESH_EACH_MORNING = dg.FreshnessPolicy.cron(
    deadline_cron="0 8 * * *", lower_bound_delta=timedelta(hours=1), timezone=str(EASTERN)
)
#: Nothing is graded without games, and the longest pause of a season is the All-Star week.
GRADED_LATELY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=8), warn_window=timedelta(days=3)
)
#: Models are decided on once a week.
DECIDED_LATELY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8))
#: By group. The partitions of players have none: they come and go with their dates.
FRESHNESS: Mapping[str, dg.FreshnessPolicy] = {
    **dict.fromkeys(
        ("ingestion", "features", "models", "predictions", "publication"), FRESH_EACH_MORNING
    ),
    "grading": GRADED_LATELY,
}
#: The phases of the platform that this pipeline is a part of: `tag:phase=5` selects the night.
PHASES: Mapping[str, str] = {group: "6" if group == "grading" else "5" for group in FRESHNESS}


def catalogued(assets: Iterable[Any], code_url: str | None = None) -> list[Any]:
    """Return assets with where their code is, when they have to be fresh, and their phase.

    The code is at a line of a file, for whoever has the file; with `code_url`, at that line below
    the address, which is the root of a repository in a browser.
    """
    with warnings.catch_warnings():
        # Code references are in beta, and say so for each asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        found = dg.with_source_code_references([*assets])
        return [_catalogued(asset, code_url) for asset in found]


def _catalogued(asset: Any, code_url: str | None) -> Any:
    if not isinstance(asset, dg.AssetsDefinition):
        return asset

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        spec = _linked(spec, code_url) if code_url else spec
        phase = PHASES.get(spec.group_name or "")
        if phase:
            spec = spec.replace_attributes(tags={**spec.tags, "phase": phase})
        policy = FRESHNESS.get(spec.group_name or "")
        if policy is None or isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition):
            return spec
        if spec.freshness_policy is not None:
            # An asset may have a rhythm of its own.
            return spec
        return spec.replace_attributes(freshness_policy=policy)

    return asset.map_asset_specs(described)


def _linked(spec: dg.AssetSpec, code_url: str) -> dg.AssetSpec:
    """Turn references to files of this package into addresses of a repository."""
    found = spec.metadata.get("dagster/code_references")
    if not isinstance(found, dg.CodeReferencesMetadataValue):
        return spec
    root = Path(nba_predictions.__file__).resolve().parents[1]
    links: list[Any] = []
    for reference in found.code_references:
        if isinstance(reference, dg.LocalFileCodeReference):
            path = Path(reference.file_path).resolve()
            # What is defined elsewhere is not in this repository.
            if path.is_relative_to(root):
                line = f"#L{reference.line_number}" if reference.line_number else ""
                place = f"{path.relative_to(root).as_posix()}{line}"
                reference = dg.UrlCodeReference(url=f"{code_url.rstrip('/')}/{place}")
        links.append(reference)
    value = dg.CodeReferencesMetadataValue(code_references=links)
    return spec.replace_attributes(metadata={**spec.metadata, "dagster/code_references": value})
