"""The commands `run`, `refresh`, `audit`, `grade` and `publish`, for one night each."""

import json
import os
import sys
from dataclasses import dataclass
from datetime import date

import polars as pl

from nba_predictions.cli.homes import find_batch, hint_of_other_homes, other_homes
from nba_predictions.cli.output import (
    print_frame,
    print_home,
    print_leaderboard,
    print_outcome,
    print_steps,
    print_verdict,
)
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import prepare_dagster_home
from nba_predictions.domain.clock import read_as_of, utc_now
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies.input_gates import GATES_TAG
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.nightly.refresh import refuse_the_past
from nba_predictions.nightly.standing_audit import audit_past_nights
from nba_predictions.orchestration.as_of import PREDICT_BEGUN_GAMES
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.run_tags import AS_OF_TAG, BEGUN_GAMES_TAG
from nba_predictions.settings import Settings


@dataclass(frozen=True)
class NightOptions:
    """The options of `run`: a mode of the gates, a moment in ISO 8601, and begun games."""

    gates: str | None = None
    as_of: str | None = None
    begun_games: bool = False

    def tags(self) -> dict[str, str]:
        """Return the tags of the run.

        Raises:
            SettingsError: `as_of` is not a moment, has no offset, or is in the future.
        """
        tags = {GATES_TAG: self.gates} if self.gates else {}
        if self.as_of is not None:
            tags[AS_OF_TAG] = read_as_of(self.as_of, utc_now(), "--as-of").isoformat()
        if self.begun_games:
            tags[BEGUN_GAMES_TAG] = PREDICT_BEGUN_GAMES
        return tags


def run_night(settings: Settings, game_date: date, options: NightOptions) -> int:
    """Predict a date, and publish the batches that are cleaned up."""
    tags = options.tags()
    with Pipeline(settings) as pipeline:
        succeeded = pipeline.execute("nightly_predictions", game_date, tags)
        pipeline.tick("publish_cleaned_batches")
        # The sensor pauses between two messages of one batch, which this run may have updated.
        pipeline.publish(game_date)
        return _print_result(settings, pipeline, game_date, succeeded)


def refresh_night(settings: Settings, game_date: date, past: bool) -> int:
    """Update the batch of a date for changed inputs, and publish it."""
    if not past:
        # Fail before any input of the date is stored again.
        refuse_the_past(game_date, utc_now())
    with Pipeline(settings) as pipeline:
        config = fan_out(refresh_past=past)
        succeeded = pipeline.execute("refresh_predictions", game_date, config=config)
        # Not with the sensor, which pauses between two publications of the same batch.
        pipeline.publish(game_date)
        return _print_result(settings, pipeline, game_date, succeeded)


def _print_result(settings: Settings, pipeline: Pipeline, game_date: date, succeeded: bool) -> int:
    """Print the predictions by system, the steps, and the verdict as the last line."""
    warehouse = pipeline.warehouse
    audit = pipeline.audit(game_date)
    simulated = settings.source == "simulated"
    if simulated:
        print("\nSIMULATED LEAGUE: these games, players and lines do not exist.")
    if audit.batch is not None:
        summary = warehouse.query(
            "night_summary", PREDICTIONS, partition=game_date, batch_id=audit.batch.batch_id
        )
        if summary.num_rows:
            print()
            print_frame(pl.DataFrame(summary))
    print_steps(game_date, audit)
    data = "" if simulated else f" SOURCE={settings.source}"
    if settings.data is not None:
        data += f" DATA={os.path.relpath(settings.data)}"
    print(f"\nThe predictions are in {warehouse.full_name(PREDICTIONS)}")
    print(f"To look at the night in the Dagster UI: make dev{data}\n")
    code = print_verdict(game_date, audit)
    if not succeeded:
        # The night above may be an earlier batch of the date, which is complete.
        print(f"THIS RUN OF {game_date} FAILED. The errors are printed above.", file=sys.stderr)
    return code if succeeded else 1


def print_audit(settings: Settings, game_date: date, batch_id: str | None, *, as_json: bool) -> int:
    """Print the audit of the newest batch of a date, or of the named batch; change nothing."""
    pipeline = Pipeline(settings, reading=True)
    if batch_id:
        game_date = find_batch(settings, batch_id).game_date
    audit = pipeline.audit(game_date, batch_id)
    others = other_homes(settings, game_date) if audit.batch is None else []
    if as_json:
        where = {"profile": settings.profile, "source": settings.source, "home": str(settings.home)}
        found = {**where, **audit.to_json(), "other_homes": [str(home) for home in others]}
        print(json.dumps(found, indent=1))
        return 0 if audit.complete else 1
    print_home(settings)
    print_steps(game_date, audit)
    for hint in hint_of_other_homes(settings, game_date) if others else ():
        print(f"{'':>13}  {hint}")
    return print_verdict(game_date, audit)


def print_audit_of_all_nights(settings: Settings) -> int:
    """Print the past nights whose rows differ from the ledger; return 1 if any does."""
    pipeline = Pipeline(settings, reading=True)
    print_home(settings)
    audit = audit_past_nights(
        pipeline.batches, pipeline.warehouse, before=eastern_date(utc_now()), run_id="audit"
    )
    for difference in audit.differences:
        print(f"{difference.game_date} {difference.batch_id}: {difference.problem}")
    print(
        f"NIGHTS compared={audit.nights} skipped={audit.skipped} "
        f"without_checksum={audit.without_checksum} differing={len(audit.differences)}"
    )
    return 1 if audit.differences else 0


def grade_night(settings: Settings, game_date: date) -> int:
    """Grade a date, and print the performance of the systems."""
    with Pipeline(settings) as pipeline:
        if not pipeline.execute("grade_predictions", game_date):
            print(f"GRADING {game_date} FAILED. The errors are printed above.", file=sys.stderr)
            return 1
        board = pipeline.warehouse.query("system_performance", RESULTS, partition=game_date)
    print_leaderboard(pl.DataFrame(board))
    return 0


def publish_batch(settings: Settings, batch_id: str) -> int:
    """Publish a batch whose publication is turned off, and print its night."""
    batch = find_batch(settings, batch_id)
    prepare_dagster_home(settings)
    with Pipeline(settings) as pipeline:
        return print_outcome(pipeline, batch.game_date, pipeline.enable_and_publish(batch))
