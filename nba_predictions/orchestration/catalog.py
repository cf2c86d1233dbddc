"""Attributes of all assets in the catalog of the Dagster UI: code links, freshness and phase."""

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

import nba_predictions
from nba_predictions.domain.league.games import EASTERN

#: The night is predicted from 07:00 Eastern on, and must be complete at 08:00.
FRESH_EACH_MORNING = dg.FreshnessPolicy.cron(
    deadline_cron="0 8 * * *", lower_bound_delta=timedelta(hours=1), timezone=str(EASTERN)
)
#: Dates without games are not graded. The longest break of a season is the All-Star week.
GRADED_RECENTLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=8), warn_window=timedelta(days=3)
)
#: Models are promoted once a week at most.
DECIDED_RECENTLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8))
#: The policy of each asset group. Player partitions have none, because each belongs to one date.
FRESHNESS: Mapping[str, dg.FreshnessPolicy] = {
    **dict.fromkeys(
        ("ingestion", "features", "models", "predictions", "publication"), FRESH_EACH_MORNING
    ),
    "grading": GRADED_RECENTLY,
}
#: The phase of the surrounding platform by asset group. `tag:phase=5` selects the night.
PHASES: Mapping[str, str] = {group: "6" if group == "grading" else "5" for group in FRESHNESS}


def cataloged(assets: Iterable[Any], code_url: str | None = None) -> list[Any]:
    """Return assets with code references, freshness policies and phase tags.

    A code reference is a line of a local file. With `code_url`, the address of the repository in a
    browser, it is a link to that line.
    """
    with warnings.catch_warnings():
        # Code references are in beta, and warn for each asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        referenced = dg.with_source_code_references([*assets])
        return [_cataloged(asset, code_url) for asset in referenced]


def _cataloged(asset: Any, code_url: str | None) -> Any:
    if not isinstance(asset, dg.AssetsDefinition):
        return asset

    def with_attributes(spec: dg.AssetSpec) -> dg.AssetSpec:
        spec = _linked(spec, code_url) if code_url else spec
        group = spec.group_name or ""
        if group not in FRESHNESS:
            return spec
        spec = spec.replace_attributes(tags={**spec.tags, "phase": PHASES[group]})
        is_dynamic = isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
        # An asset may have its own policy.
        if is_dynamic or spec.freshness_policy is not None:
            return spec
        return spec.replace_attributes(freshness_policy=FRESHNESS[group])

    return asset.map_asset_specs(with_attributes)


def _linked(spec: dg.AssetSpec, code_url: str) -> dg.AssetSpec:
    """Replace references to files of this package by links to the repository."""
    references = spec.metadata.get("dagster/code_references")
    if not isinstance(references, dg.CodeReferencesMetadataValue):
        return spec
    root = Path(nba_predictions.__file__).resolve().parents[1]
    links: list[Any] = []
    for reference in references.code_references:
        if isinstance(reference, dg.LocalFileCodeReference):
            path = Path(reference.file_path).resolve()
            # A file outside of the package is not in the repository.
            if path.is_relative_to(root):
                line = f"#L{reference.line_number}" if reference.line_number else ""
                target = f"{path.relative_to(root).as_posix()}{line}"
                reference = dg.UrlCodeReference(url=f"{code_url.rstrip('/')}/{target}")
        links.append(reference)
    value = dg.CodeReferencesMetadataValue(code_references=links)
    return spec.replace_attributes(metadata={**spec.metadata, "dagster/code_references": value})
