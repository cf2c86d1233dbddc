"""The sensor that follows the day of a live source: refreshes before tip-offs, and late results.

A tick never touches the network. It reads what is landed, and requests runs that fetch.
The plan is in `domain/policies/day_plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain import clock
from nba_predictions.domain.betting.slate import Game
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.domain.policies import day_plan
from nba_predictions.domain.policies.input_gates import FIRST_PREDICTION, GATES_TAG, WARN
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.nightly.current_batch import newest_batch
from nba_predictions.nightly.slate import games_of
from nba_predictions.orchestration.assets.fetching import fetch_config
from nba_predictions.orchestration.assets.grading import BOX_SCORES, prediction_results
from nba_predictions.orchestration.assets.ingestion import Batches, League
from nba_predictions.orchestration.digests import box_scores_digest
from nba_predictions.orchestration.jobs import (
    fetch_inputs,
    grade_predictions,
    nightly_predictions,
    refresh_predictions,
)
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import LIVE, Settings

#: Lines that are asked for before a tip-off are not older than this.
_FRESH_LINES = timedelta(minutes=2)
_R = dg.DagsterRunStatus
_UNFINISHED = [s for s in _R if s not in (_R.SUCCESS, _R.FAILURE, _R.CANCELED)]


@dg.sensor(
    jobs=[nightly_predictions, refresh_predictions, fetch_inputs, grade_predictions],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="With live sources: refreshes the games of each wave of tip-offs 45 minutes "
    "before, captures closing lines, and grades dates whose box scores are late or corrected.",
)
def follow_live_day(
    context: dg.SensorEvaluationContext,
    batches: Batches,
    league: League,
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult | dg.SkipReason:
    """Request what the plan of the day has due. A run key names the action, so it runs once."""
    if settings.source != LIVE:
        return dg.SkipReason(f"the source {settings.source} has no live day")
    now = clock.utc_now()
    today = eastern_date(now)
    # A view lists each folder of the landing zone once.
    league = league.known_at(now)
    requests = [
        *_first_prediction(today, now),
        *_refreshes(league, today, now, settings.odds_polls),
        *_gradings(context.instance, batches, league, today, now),
    ]
    if not requests:
        return dg.SkipReason(f"nothing is due at {now.astimezone(EASTERN):%H:%M} Eastern")
    return dg.SensorResult(run_requests=requests)


def _first_prediction(today: date, now: datetime) -> Iterator[dg.RunRequest]:
    """Yield the first prediction if the clock is not that of the machine.

    The schedules follow the clock of the machine.
    """
    if clock.is_set() and now >= datetime.combine(today, FIRST_PREDICTION, EASTERN):
        yield _request(nightly_predictions.name, today, "first")


def _refreshes(
    league: LeagueSource, today: date, now: datetime, polls: int
) -> Iterator[dg.RunRequest]:
    games = games_of(league.schedule(today))
    for due in day_plan.due_refreshes(today, games, now, polls):
        job = fetch_inputs if due.closing else refresh_predictions
        # Nothing gets better after a wave: what is there is predicted, with a warning.
        tags = {GATES_TAG: WARN} if due.is_last_chance else {}
        config = fetch_config(due.lines_of, _FRESH_LINES)
        yield _request(job.name, today, due.key, config, tags)


def _gradings(
    instance: dg.DagsterInstance,
    batches: BatchStore,
    league: LeagueSource,
    today: date,
    now: datetime,
) -> Iterator[dg.RunRequest]:
    """Yield the dates whose box scores changed since they were graded, or are still missing.

    A grading that fails is requested again in the next slot.
    """
    for game_date in day_plan.dates_to_grade(today, now):
        if newest_batch(batches, game_date) is None:
            continue
        box_scores = league.box_scores(game_date)
        digest = box_scores_digest(box_scores)
        changed = bool(box_scores.height) and digest != _graded_with(instance, game_date)
        if not changed and not _missing(games_of(league.schedule(game_date)), box_scores):
            continue
        if not _is_being_graded(instance, game_date):
            slot = day_plan.grading_slot(game_date, today, now)
            what = digest if changed else "again"
            yield _request(grade_predictions.name, game_date, f"grade {what} {slot}")


def _is_being_graded(instance: dg.DagsterInstance, game_date: date) -> bool:
    unfinished = dg.RunsFilter(
        job_name=grade_predictions.name,
        statuses=_UNFINISHED,
        tags={PARTITION_TAG: game_date.isoformat()},
    )
    return bool(instance.get_runs_count(unfinished))


def _graded_with(instance: dg.DagsterInstance, game_date: date) -> str | None:
    """Return the digest of the box scores with which a date was last graded."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=prediction_results.key, asset_partitions=[game_date.isoformat()]
        ),
        limit=1,
    ).records
    materialization = found[0].asset_materialization if found else None
    value = materialization.metadata.get(BOX_SCORES) if materialization else None
    return None if value is None else str(value.value)


def _missing(games: Sequence[Game], box_scores: pl.DataFrame) -> list[str]:
    counted = box_scores.group_by("game_id", "team").len()
    players = {(game_id, team): count for game_id, team, count in counted.iter_rows()}
    return day_plan.missing_results(games, players)


def _request(
    job: str,
    game_date: date,
    what: str,
    config: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> dg.RunRequest:
    key = game_date.isoformat()
    return dg.RunRequest(
        run_key=f"{key}:{what}",
        job_name=job,
        partition_key=key,
        run_config=config,
        tags=tags or {},
    )
