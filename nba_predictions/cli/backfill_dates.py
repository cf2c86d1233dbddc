"""Predict the dates of a backfill, oldest first: on each date, only what it still needs.

A backfill stores no state of its own. It audits each date and skips those that are complete, so you
can interrupt it at any time and run it again.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.inputs.port import Schedule
from nba_predictions.logs import milestone
from nba_predictions.nightly.audit import NightAudit
from nba_predictions.nightly.current_batch import newest_batch
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.warehouse.port import Warehouse

#: The tag of all Dagster runs of one backfill.
RANGE_TAG = "nba_predictions/backfill"


class Action(str, Enum):
    """What a date needs."""

    NOTHING = "nothing"
    RUN = "run the night"
    REPLAY = "replay the failed players"


class Outcome(str, Enum):
    """How a date ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class DateReport:
    """The result of one date: its rows in the target table, and why it failed."""

    game_date: date
    outcome: Outcome
    verdict: Verdict | None
    rows: int
    reason: str = ""


@dataclass(frozen=True)
class BackfillOptions:
    """Whether each date is also published and graded."""

    publish: bool = False
    grade: bool = False


def dates_with_games(source: Schedule, first: date, last: date) -> list[date]:
    """Return the dates with games from `first` to `last`, both included."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if not source.schedule(day).is_empty()]


def next_action(verdict: Verdict, batch: Batch | None) -> Action:
    """Return what a date needs.

    A batch in progress is resumed, because the run that opened it was usually killed. A batch that
    is only not yet published has all its rows.
    """
    if verdict is Verdict.COMPLETE:
        return Action.NOTHING
    cleaned = batch is not None and batch.state in CLEANED_UP
    if verdict is Verdict.MERGED_NOT_PUBLISHED and cleaned:
        return Action.NOTHING
    if verdict is Verdict.PARTIAL and cleaned:
        return Action.REPLAY
    return Action.RUN


def backfill_dates(
    pipeline: Pipeline, dates: Sequence[date], options: BackfillOptions
) -> Iterator[DateReport]:
    """Predict dates in the given order, and yield a report on each. A failed date stops no other.

    The errors of its runs are printed on stderr.
    """
    tags = {RANGE_TAG: f"{dates[0]}..{dates[-1]}"} if dates else {}
    pipeline.warehouse.prepare()
    for game_date in dates:
        try:
            report = _backfill_date(pipeline, game_date, options, tags)
        except Exception as error:
            # An unexpected error of one date must not stop the others.
            reason = f"{type(error).__name__}: {error}"
            report = DateReport(game_date, Outcome.FAILED, None, 0, reason)
        milestone(
            "date_backfilled",
            f"{game_date} {report.outcome.value}" + (f": {report.reason}" if report.reason else ""),
            severity=logging.ERROR if report.outcome is Outcome.FAILED else logging.INFO,
            game_date=game_date,
            outcome=report.outcome.value,
            verdict=report.verdict.value if report.verdict else None,
            rows=report.rows,
        )
        yield report


def _backfill_date(
    pipeline: Pipeline, game_date: date, options: BackfillOptions, tags: dict[str, str]
) -> DateReport:
    before = pipeline.audit(game_date)
    action = next_action(before.verdict, before.batch)
    changed, succeeded = action is not Action.NOTHING, True
    if action is Action.RUN:
        config = fan_out(announce=options.publish)
        succeeded = pipeline.execute("nightly_predictions", game_date, tags, config)
    elif action is Action.REPLAY and before.batch is not None:
        succeeded = pipeline.replay(before.batch)
    if options.publish:
        published = _publish(pipeline, game_date)
        changed = changed or published is not None
        succeeded = succeeded and published is not False
    after = pipeline.audit(game_date) if changed else before
    # The last fact is the one that decided the verdict.
    reason = "" if _is_done(after, options) else after.facts[-1]
    if not succeeded and not reason:
        reason = "a step failed; its error is printed above"
    if options.grade and not reason and not is_graded(game_date, pipeline.warehouse):
        if pipeline.league.box_scores(game_date).is_empty():
            reason = "it has no box scores to grade it with"
        elif pipeline.execute("grade_predictions", game_date, tags):
            changed = True
        else:
            reason = "it could not be graded; the error is printed above"
    outcome = Outcome.FAILED if reason else Outcome.DONE if changed else Outcome.SKIPPED
    return DateReport(game_date, outcome, after.verdict, after.evidence.target.batch_rows, reason)


def _is_done(audit: NightAudit, options: BackfillOptions) -> bool:
    if audit.complete:
        return True
    # Without --publish, a message that the sensor of an earlier night still has to send does not
    # count against the backfill.
    return next_action(audit.verdict, audit.batch) is Action.NOTHING and not options.publish


def _publish(pipeline: Pipeline, game_date: date) -> bool | None:
    """Publish the batch of a date; None if it has nothing to publish."""
    batch = newest_batch(pipeline.batches, game_date)
    if batch is None or batch.state not in CLEANED_UP or pipeline.is_published(batch):
        return None
    return pipeline.enable_and_publish(batch)


def is_graded(game_date: date, warehouse: Warehouse) -> bool:
    """Return whether every prediction of a date was graded after it was last written."""
    (predicted,), (graded,) = (
        warehouse.query("rows_of_date", table, partition=game_date).to_pylist()
        for table in (PREDICTIONS, RESULTS)
    )
    if predicted["row_count"] != graded["row_count"]:
        return False
    return not predicted["row_count"] or predicted["last_updated_at"] <= graded["last_updated_at"]
