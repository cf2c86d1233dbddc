"""The commands `dead-letters`, `replay` and `repair`: inspect what failed, and fix it."""

import sys
from collections.abc import Sequence
from datetime import date

from nba_predictions.cli.homes import describe_home, find_batch, hint_of_other_homes
from nba_predictions.cli.output import print_outcome, print_verdict
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import prepare_dagster_home
from nba_predictions.domain.batches.batch import BatchState, percent
from nba_predictions.domain.batches.repair import Plan, Remedy, plan_repair, with_stored_inputs
from nba_predictions.domain.batches.verdict import Evidence, some_of
from nba_predictions.domain.errors import BatchStateError, DamagedFileError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.current_batch import newest_batch, set_threshold
from nba_predictions.nightly.leases import date_lease
from nba_predictions.orchestration.io_managers import stored_models_name, unusable_value
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.run_tags import AS_OF_TAG
from nba_predictions.settings import Settings


def print_dead_letters(settings: Settings, game_date: date | None) -> int:
    """Print the dead letters of a date, or of all dates, and which were replayed since."""
    store = Pipeline(settings, reading=True).batches
    batches = store.of_date(game_date) if game_date else store.in_states(list(BatchState))
    outstanding = 0
    for batch in sorted(batches, key=lambda b: b.sequence):
        completed = {c.player_lookup for c in store.completions(batch.batch_id)}
        for letter in store.dead_letters(batch.batch_id):
            replayed = letter.player_lookup in completed
            outstanding += not replayed
            print(
                f"{batch.game_date} {batch.batch_id} {letter.player_lookup}  "
                f"{letter.error_class}: {letter.message}  (attempts={letter.attempts} "
                f"at={letter.recorded_at.isoformat(timespec='seconds')} run={letter.run_id})"
                + ("  predicted since" if replayed else "")
            )
    print(f"DEAD LETTERS waiting={outstanding}")
    # Programs read the lines on stdout.
    print(f"home {describe_home(settings)}", file=sys.stderr)
    return 0


def replay_players(settings: Settings, batch_id: str, players: Sequence[str]) -> int:
    """Replay players of a batch, by default those who are not done, and publish the batch."""
    batch = find_batch(settings, batch_id)
    prepare_dagster_home(settings)
    with Pipeline(settings) as pipeline:
        succeeded = pipeline.replay(batch, players)
        pipeline.publish(batch.game_date)
        return print_outcome(pipeline, batch.game_date, succeeded)


def repair_night(
    settings: Settings, game_date: date, *, confirmed: bool, threshold: float | None = None
) -> int:
    """Apply the remedies that the verdict requires, until it requires none that is untried.

    `threshold` first becomes the completion threshold of the batch.

    Raises:
        BatchStateError: a threshold is given, but the date has no batch.
    """
    if threshold is not None and not _change_threshold(settings, game_date, threshold, confirmed):
        print("nothing was changed")
        return 1
    # Nothing is created before the confirmation, also not in the wrong folder.
    pipeline = Pipeline(settings, reading=True)
    tried: set[Plan] = set()
    while True:
        audit = pipeline.audit(game_date)
        evidence = audit.evidence
        print_verdict(game_date, audit)
        if audit.batch is None and not tried:
            print(f"home {describe_home(settings)}")
            print("".join(f"{hint}\n" for hint in hint_of_other_homes(settings, game_date)), end="")
        plan = plan_repair(evidence, audit.verdict, _players_without_rows(pipeline, evidence))
        plan = with_stored_inputs(plan, _unusable_inputs(settings, pipeline, game_date))
        if not plan.remedies or plan in tried:
            print(plan.why if not plan.remedies else f"this did not help: {plan.why}")
            return 0 if audit.complete else 1
        tried.add(plan)
        print("\n".join(f"{'':>4}{fact}" for fact in audit.facts))
        print(f"{plan.why}. Proposed steps:")
        for number, remedy in enumerate(plan.remedies, start=1):
            print(f"{number:>4}. {remedy.value}")
        if plan.players:
            print(f"{'':>4}players: {some_of(plan.players)}")
        if not confirmed and not _confirm():
            print("nothing was changed")
            return 1
        if len(tried) == 1:
            prepare_dagster_home(settings)
            pipeline = Pipeline(settings)
        with pipeline:
            for remedy in plan.remedies:
                if not _apply(pipeline, game_date, remedy, plan, evidence):
                    break


def _unusable_inputs(settings: Settings, pipeline: Pipeline, game_date: date) -> str | None:
    """Return why the stored inputs of a date cannot be used for a replay, None if they can."""
    night = game_date.isoformat()
    for asset in ("slate", "player_features", "prediction_models"):
        problem = unusable_value(settings.home, asset, night)
        if problem:
            return problem
    models = stored_models_name(settings.home, night)
    try:
        if pipeline.model_store.load(models) is None:
            return f"the models {models} are missing"
    except (DamagedFileError, ValueError) as error:
        return str(error)
    return None


def _change_threshold(
    settings: Settings, game_date: date, threshold: float, confirmed: bool
) -> bool:
    """Change the completion threshold of the batch of a date; return False if it is declined."""
    batch = newest_batch(Pipeline(settings, reading=True).batches, game_date)
    if batch is None:
        raise BatchStateError(
            f"{game_date} has no batch in {describe_home(settings)}, so there is no threshold to "
            f"change; a new batch gets NBA_PREDICTIONS_COMPLETION_THRESHOLD, which is "
            f"{settings.completion_threshold}"
        )
    if batch.completion_threshold == threshold:
        print(f"{batch.batch_id} has the completion threshold {percent(threshold)} already")
        return True
    before = percent(batch.completion_threshold)
    print(
        f"{batch.batch_id}: change the completion threshold from {before} "
        f"to {percent(threshold)}. Below it, the batch is not published."
    )
    if not confirmed and not _confirm():
        return False
    prepare_dagster_home(settings)
    set_threshold(Pipeline(settings).batches, batch.batch_id, threshold, run_id="repair")
    return True


def _confirm() -> bool:
    try:
        return input("Do it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("\nthere is no answer on standard input; use --yes to repair without confirmation")
        return False


def _apply(
    pipeline: Pipeline, game_date: date, remedy: Remedy, plan: Plan, evidence: Evidence
) -> bool:
    """Apply one remedy; return whether it succeeded."""
    if remedy is Remedy.PUBLISH:
        return pipeline.publish(game_date)
    if remedy is Remedy.REMOVE_DUPLICATES and evidence.batch is not None:
        # The lease keeps a merge of the date from writing at the same time.
        with date_lease(game_date, pipeline.batches, run_id="repair"):
            removed = pipeline.warehouse.remove_duplicates(PREDICTIONS, game_date)
        print(f"{removed} rows removed")
        return True
    if remedy is Remedy.REPLAY and evidence.batch is not None:
        return pipeline.replay(evidence.batch, plan.players)
    if remedy is Remedy.FINISH:
        return pipeline.execute("finish_batch", game_date)
    # A repair does not change whether the batch is announced.
    announce = evidence.batch is None or evidence.batch.announce
    config = fan_out(announce=announce)
    # The batch is repaired from what its own run knew.
    as_of = evidence.batch and evidence.batch.as_of
    tags = {AS_OF_TAG: as_of.isoformat()} if as_of else None
    return pipeline.execute("nightly_predictions", game_date, tags, config)


def _players_without_rows(pipeline: Pipeline, evidence: Evidence) -> list[str]:
    """Return the players with fewer rows of the batch in the target table than were recorded."""
    if evidence.snapshot is None:
        return []
    batch, completions = evidence.snapshot.batch, evidence.snapshot.completions
    counts = pipeline.warehouse.query(
        "rows_by_player", PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id
    )
    rows = {row["player_lookup"]: row["row_count"] for row in counts.to_pylist()}
    return [c.player_lookup for c in completions if rows.get(c.player_lookup, 0) < c.rows]
