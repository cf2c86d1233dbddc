"""Look into what failed, and mend it: dead-letters, replay, repair."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.cli.output import print_steps, print_verdict
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.repair import Plan, Remedy, plan_repair
from nba_predictions.domain.batches.verdict import Evidence, Verdict, judge, some_of
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.audit import gather_evidence, report
from nba_predictions.nightly.leases import date_lease
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.settings import Settings

if TYPE_CHECKING:
    from nba_predictions.cli.in_process import Pipeline


def add_commands(commands: Commands) -> None:
    """Add `dead-letters`, `replay` and `repair`."""
    sub = add_command(
        commands, "dead-letters", dead_letters, "list the players who failed for good"
    )
    sub.add_argument("--game-date", type=date.fromisoformat, help="of one date (default: all)")
    sub = add_command(
        commands, "replay", replay, "predict players of a batch again, merge, clean up and publish"
    )
    sub.add_argument("--batch", metavar="ID", required=True, help="the batch, as audit names it")
    sub.add_argument(
        "--player",
        metavar="LOOKUP",
        action="append",
        default=[],
        help="whom, may be repeated (default: everybody who is not done)",
    )
    sub = add_command(
        commands,
        "repair",
        repair,
        "do what the verdict on a date calls for, after asking; safe to repeat",
    )
    sub.add_argument("--game-date", type=date.fromisoformat, required=True, help="YYYY-MM-DD")
    sub.add_argument("--yes", action="store_true", help="do not ask")


def dead_letters(settings: Settings, options: argparse.Namespace) -> int:
    """List the players who failed for good, and whether they were predicted after all."""
    store = open_pipeline(settings).batches
    batches = (
        store.of_date(options.game_date) if options.game_date else store.in_states(list(BatchState))
    )
    waiting = 0
    for batch in sorted(batches, key=lambda b: b.created_at):
        done = {c.player_lookup for c in store.completions(batch.batch_id)}
        for letter in store.dead_letters(batch.batch_id):
            replayed = letter.player_lookup in done
            waiting += not replayed
            print(
                f"{batch.game_date} {batch.batch_id} {letter.player_lookup}  "
                f"{letter.error_class}: {letter.message}  (attempts={letter.attempts} "
                f"at={letter.recorded_at.isoformat(timespec='seconds')} run={letter.run_id})"
                + ("  predicted since" if replayed else "")
            )
    print(f"DEAD LETTERS waiting={waiting}")
    return 0


def replay(settings: Settings, options: argparse.Namespace) -> int:
    """Predict players of a batch again, merge and clean up, publish, and say how it ended."""
    night = open_pipeline(settings)
    batch = night.batches.get(options.batch)
    with dg.DagsterInstance.get() as instance:
        succeeded = night.replay(batch.game_date, instance, options.player, batch.batch_id)
        night.publish(batch.game_date, instance)
    evidence = gather_evidence(batch.game_date, night.batches, night.warehouse)
    told = report(evidence)
    print_steps(batch.game_date, told)
    code = print_verdict(batch.game_date, evidence, told)
    return code if succeeded else 1


def repair(settings: Settings, options: argparse.Namespace) -> int:
    """Do what the verdict on a date calls for, until it calls for nothing that was not tried."""
    night = open_pipeline(settings)
    night.warehouse.prepare()
    tried: set[Plan] = set()
    while True:
        evidence = gather_evidence(options.game_date, night.batches, night.warehouse)
        judgement = judge(evidence)
        print_verdict(options.game_date, evidence, report(evidence))
        plan = plan_repair(evidence, judgement, _players_without_rows(night, evidence))
        if not plan.remedies or plan in tried:
            print(plan.why if not plan.remedies else f"this did not help: {plan.why}")
            return 0 if judgement.verdict is Verdict.COMPLETE else 1
        tried.add(plan)
        print("\n".join(f"{'':>4}{fact}" for fact in judgement.facts))
        print(f"{plan.why}. To do:")
        for number, remedy in enumerate(plan.remedies, start=1):
            print(f"{number:>4}. {remedy.value}")
        if plan.players:
            print(f"{'':>4}players: {some_of(plan.players)}")
        if not options.yes and not _agreed():
            print("nothing was changed")
            return 1
        with dg.DagsterInstance.get() as instance:
            for remedy in plan.remedies:
                if not _remedy(night, instance, options.game_date, remedy, plan, evidence):
                    break


def _agreed() -> bool:
    try:
        return input("Do it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("\nnobody is there to answer; --yes does not ask")
        return False


def _remedy(
    night: Pipeline,
    instance: dg.DagsterInstance,
    game_date: date,
    remedy: Remedy,
    plan: Plan,
    evidence: Evidence,
) -> bool:
    """Do one thing that mends; return whether to go on."""
    if remedy is Remedy.PUBLISH:
        return night.publish(game_date, instance)
    if remedy is Remedy.REMOVE_DUPLICATES and evidence.batch is not None:
        # No merge may write the date meanwhile.
        with date_lease(evidence.batch, night.batches, run_id="repair"):
            removed = night.warehouse.remove_duplicates(PREDICTIONS, game_date)
        print(f"{removed} rows removed")
        return True
    partition = game_date.isoformat()
    if remedy is Remedy.REPLAY and evidence.batch is not None:
        return night.replay(game_date, instance, plan.players, evidence.batch.batch_id)
    if remedy is Remedy.FINISH:
        return night.execute("finish_batch", partition, instance)
    # Mended, it is announced or not as it was before.
    announce = evidence.batch is None or evidence.batch.announce
    config = fan_out(announce=announce)
    return night.execute("nightly_predictions", partition, instance, config=config)


def _players_without_rows(night: Pipeline, evidence: Evidence) -> list[str]:
    """Return the players who have fewer rows of the batch in the table than were recorded."""
    batch = evidence.batch
    if batch is None:
        return []
    found = night.warehouse.query(
        "rows_by_player", PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id
    )
    there = {row["player_lookup"]: row["row_count"] for row in found.to_pylist()}
    return [c.player_lookup for c in evidence.completions if there.get(c.player_lookup, 0) < c.rows]
