"""Fetch the inputs and the results of a game date. Only live sources have something to fetch.

The answers of the services are stored in the landing zone, and the next assets read them there.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.domain.league.games import night_is_over
from nba_predictions.fetching.port import LINES_MAX_AGE, FetchReport, InputFetcher, NothingToFetch
from nba_predictions.nightly.leases import fetch_lease
from nba_predictions.orchestration import display
from nba_predictions.orchestration.as_of import given_as_of
from nba_predictions.orchestration.partitions import (
    asset_of_date,
    game_date_of,
    partitioned_check_spec,
)
from nba_predictions.orchestration.run_tags import FETCHED_TAG

Batches = dg.ResourceParam[BatchStore]
Fetcher = dg.ResourceParam[InputFetcher]

_ANSWERED = "services_answer"


class FetchConfig(dg.Config):
    """Which lines a run asks for again."""

    lines_of: list[str] | None = Field(
        None,
        description="The games whose lines are asked for again, by game_id. Default: all games of "
        "the date. The other games are asked for only if they have no lines.",
    )
    lines_max_age_minutes: float = Field(
        LINES_MAX_AGE / timedelta(minutes=1),
        ge=0,
        description="The age of lines that are not asked for again.",
    )


def fetch_config(lines_of: Sequence[str] | None, lines_max_age: timedelta) -> dict[str, Any]:
    """Return the run configuration of a job that fetches inputs."""
    config: dict[str, Any] = {"lines_max_age_minutes": lines_max_age / timedelta(minutes=1)}
    if lines_of is not None:
        config["lines_of"] = list(lines_of)
    return {"ops": {"fetched_inputs": {"config": config}}}


def _fetching_asset(group: str, name: str) -> Any:
    answered = partitioned_check_spec(
        _ANSWERED,
        asset=name,
        description="Each service answered, and its answer is plausible. Otherwise the newest good "
        "answer is used, or another service.",
    )
    return asset_of_date(group, {"http"}, check_specs=[answered])


@_fetching_asset("ingestion", "fetched_inputs")
def fetched_inputs(
    context: dg.AssetExecutionContext, config: FetchConfig, fetcher: Fetcher, batches: Batches
) -> dg.MaterializeResult:
    """The answers of the services about the date: schedule, box scores, injury report and lines.

    Files and the simulated league have nothing to fetch. A service that does not answer fails the
    check, and not this asset. If this asset fails, the landing zone cannot be written.
    """
    game_date = game_date_of(context.partition_key)
    if given_as_of(context) is not None:
        # The run repeats what was known at its moment.
        return _result(FetchReport(game_date, utc_now()))
    if night_is_over(game_date, utc_now()):
        return _fetched(context, batches, partial(fetcher.fetch_results, game_date))
    max_age = timedelta(minutes=config.lines_max_age_minutes)
    ask = partial(fetcher.fetch_inputs, game_date, lines_of=config.lines_of, lines_max_age=max_age)
    return _fetched(context, batches, ask)


@_fetching_asset("grading", "fetched_results")
def fetched_results(
    context: dg.AssetExecutionContext, fetcher: Fetcher, batches: Batches
) -> dg.MaterializeResult:
    """The answers of the services about the results of the date.

    Files and the simulated league have nothing to fetch. If this asset fails, the landing zone
    cannot be written. A service that does not answer fails the check, and not this asset.
    """
    ask = partial(fetcher.fetch_results, game_date_of(context.partition_key))
    return _fetched(context, batches, ask)


def _fetched(
    context: dg.AssetExecutionContext, batches: BatchStore, ask: partial[FetchReport]
) -> dg.MaterializeResult:
    """Fetch as the only process, and let the run know what it has fetched."""
    run_id = context.run.run_id
    try:
        with _as_only_process(ask, batches, run_id):
            report = ask(run_id=run_id)
    except LeaseLostError:
        game_date = game_date_of(context.partition_key)
        problem = "another process is still fetching; the answers that it has stored are used"
        report = FetchReport(game_date, utc_now(), problems=(problem,))
    context.instance.add_run_tags(run_id, {FETCHED_TAG: report.as_of.isoformat()})
    return _result(report)


def _as_only_process(
    ask: partial[FetchReport], batches: BatchStore, run_id: str
) -> AbstractContextManager[object]:
    """Return the lease of all fetches; no lease if no service is asked."""
    if isinstance(getattr(ask.func, "__self__", None), NothingToFetch):
        return nullcontext()
    return fetch_lease(batches, run_id=run_id)


def _result(report: FetchReport) -> dg.MaterializeResult:
    credit_counts = {
        name: value
        for name, value in (
            ("credits", report.credits),
            ("credits_left_today", report.credits_left_today),
            ("credits_left_this_month", report.credits_left_this_month),
        )
        if value is not None
    }
    answers = pl.DataFrame([asdict(answer) for answer in report.answers], infer_schema_length=None)
    return dg.MaterializeResult(
        metadata={
            "requests": report.requests,
            "news": report.news,
            **credit_counts,
            "answers": display.table(answers),
            "as_of": dg.MetadataValue.timestamp(report.as_of),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_ANSWERED,
                passed=not report.problems,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(report.problems) or None,
                metadata={"problems": len(report.problems)},
            )
        ],
    )
