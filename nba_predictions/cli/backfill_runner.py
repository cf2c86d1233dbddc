"""Predict a range of dates, oldest first: what each date still needs, and nothing else.

Nothing of a backfill is kept but what its nights leave, so it can be killed at any moment and run
again: each date is judged as the audit judges it, and a date that is complete is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

import dagster as dg

from nba_predictions.cli.in_process import Pipeline
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch
from nba_predictions.domain.batches.verdict import Evidence, Verdict, judge
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.inputs.port import Schedule
from nba_predictions.logs import milestone
from nba_predictions.nightly.audit import gather_evidence
from nba_predictions.nightly.current_batch import newest_batch, set_announce
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.warehouse.port import Warehouse

#: Dagster's runs of one backfill are found by it.
RANGE_TAG = "nba_predictions/backfill"


class Todo(str, Enum):
    """What a date needs."""

    NOTHING = "nothing"
    RUN = "run the night"
    REPLAY = "predict who failed again"


class Outcome(str, Enum):
    """How a date ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class DateReport:
    """What became of one date: rows in the table, and why it failed."""

    game_date: date
    outcome: Outcome
    verdict: Verdict | None
    rows: int
    why: str = ""


@dataclass(frozen=True)
class Backfill:
    """What is asked for: whether dates are announced to their readers, and graded as well."""

    publish: bool = False
    grade: bool = False


def dates_with_games(source: Schedule, first: date, last: date) -> list[date]:
    """Return the dates of a range, both ends included, on which the source's schedule has games."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if not source.schedule(day).is_empty()]


def what_to_do(verdict: Verdict, batch: Batch | None) -> Todo:
    """Return what a date needs to be predicted.

    A batch that is in progress is taken up: its run is, as a rule, the one that was killed. A batch
    that only waits to be published has all its rows.
    """
    if verdict is Verdict.COMPLETE:
        return Todo.NOTHING
    cleaned = batch is not None and batch.state in CLEANED_UP
    if verdict is Verdict.CONSOLIDATED_NOT_PUBLISHED and cleaned:
        return Todo.NOTHING
    if verdict is Verdict.PARTIAL and cleaned:
        return Todo.REPLAY
    return Todo.RUN


def backfill(
    night: Pipeline, instance: dg.DagsterInstance, dates: Sequence[date], wanted: Backfill
) -> Iterator[DateReport]:
    """Predict dates in the given order; yield what became of each. A failure stays with its date.

    What a date's run says of its failure goes to stderr.
    """
    tags = {RANGE_TAG: f"{dates[0]}..{dates[-1]}"} if dates else {}
    night.warehouse.prepare()
    for game_date in dates:
        try:
            report = _date(night, instance, game_date, wanted, tags)
        except Exception as error:
            # Whatever one date has met must not cost the others.
            why = f"{type(error).__name__}: {error}"
            report = DateReport(game_date, Outcome.FAILED, None, 0, why)
        milestone(
            "date_backfilled",
            f"{game_date} {report.outcome.value}" + (f": {report.why}" if report.why else ""),
            severity=logging.ERROR if report.outcome is Outcome.FAILED else logging.INFO,
            game_date=game_date,
            outcome=report.outcome.value,
            verdict=report.verdict.value if report.verdict else None,
            rows=report.rows,
        )
        yield report


def _date(
    night: Pipeline,
    instance: dg.DagsterInstance,
    game_date: date,
    wanted: Backfill,
    tags: dict[str, str],
) -> DateReport:
    before = gather_evidence(game_date, night.batches, night.warehouse)
    todo = what_to_do(judge(before).verdict, before.batch)
    partition = game_date.isoformat()
    did, succeeded = todo is not Todo.NOTHING, True
    if todo is Todo.RUN:
        config = fan_out(announce=wanted.publish)
        succeeded = night.execute("nightly_predictions", partition, instance, tags, config)
    elif todo is Todo.REPLAY and before.batch is not None:
        succeeded = night.replay(game_date, instance, (), before.batch.batch_id)
    if wanted.publish:
        published = _publish(night, instance, game_date)
        did, succeeded = did or published is not None, succeeded and published is not False
    after = gather_evidence(game_date, night.batches, night.warehouse) if did else before
    judgement = judge(after)
    why = "" if _good(after, judgement.verdict, wanted) else _last(judgement.facts)
    if not succeeded and not why:
        why = "a step failed, for the reasons given above"
    if wanted.grade and not why and not is_graded(game_date, night.warehouse):
        if night.league.box_scores(game_date).is_empty():
            why = "there are no box scores to grade it by"
        elif night.execute("grade_predictions", partition, instance, tags):
            did = True
        else:
            why = "it could not be graded, for the reasons given above"
    outcome = Outcome.FAILED if why else Outcome.DONE if did else Outcome.SKIPPED
    return DateReport(game_date, outcome, judgement.verdict, after.target.batch_rows, why)


def _good(evidence: Evidence, verdict: Verdict, wanted: Backfill) -> bool:
    if verdict is Verdict.COMPLETE:
        return True
    # An earlier night's message that its sensor still has to get out is none of a backfill's that
    # does not publish.
    waits = what_to_do(verdict, evidence.batch) is Todo.NOTHING
    return waits and not wanted.publish


def _last(facts: Sequence[str]) -> str:
    """Return what decided a verdict; the first facts say what every batch has."""
    return facts[-1]


def _publish(night: Pipeline, instance: dg.DagsterInstance, game_date: date) -> bool | None:
    """Publish the batch of a date; None when there was nothing to publish."""
    batch = newest_batch(night.batches, game_date)
    if batch is None or batch.state not in CLEANED_UP or night.told_of(batch):
        return None
    return announce_batch(night, instance, batch)


def announce_batch(night: Pipeline, instance: dg.DagsterInstance, batch: Batch) -> bool:
    """Publish a batch, also one that was not to be announced; return whether that succeeded.

    Raises:
        BatchStateError: it does not speak for its date, or is not cleaned up.
    """
    newest = newest_batch(night.batches, batch.game_date)
    if newest is not None and newest.batch_id != batch.batch_id:
        raise BatchStateError(
            f"{batch.batch_id} does not speak for {batch.game_date} any more, {newest.batch_id} "
            f"does; publish that one"
        )
    if batch.state not in CLEANED_UP:
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}, only a cleaned batch is published; "
            f"`nba-predictions repair --game-date {batch.game_date}` brings it to its end"
        )
    set_announce(night.batches, batch.batch_id, True, run_id="announce")
    return night.publish(batch.game_date, instance)


def is_graded(game_date: date, warehouse: Warehouse) -> bool:
    """Return whether every prediction of a date has been graded since it was last written."""
    (predicted,), (graded,) = (
        warehouse.query("rows_of_date", table, partition=game_date).to_pylist()
        for table in (PREDICTIONS, RESULTS)
    )
    if predicted["row_count"] != graded["row_count"]:
        return False
    return not predicted["row_count"] or predicted["last_updated_at"] <= graded["last_updated_at"]
