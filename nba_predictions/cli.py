"""The command line: predict a night, look at it, mend it, grade it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from nba_predictions.audit import gather_evidence, report
from nba_predictions.domain.batch import BatchState
from nba_predictions.domain.errors import NbaPredictionsError
from nba_predictions.domain.repair import Plan, Remedy, plan_repair
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.domain.verdict import Evidence, Verdict, judge, some_of
from nba_predictions.night.leases import date_lease
from nba_predictions.settings import Settings
from nba_predictions.warehouse.port import Warehouse

if TYPE_CHECKING:
    from nba_predictions.pipeline import Pipeline

#: A date in the middle of the simulated season, on which there is something to see.
DEFAULT_GAME_DATE = date(2026, 1, 15)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only when all that was asked is done."""
    options = _parser().parse_args(arguments)
    try:
        if options.profile:
            os.environ["NBA_PREDICTIONS_PROFILE"] = options.profile
        settings = Settings.from_environment(os.environ)
        prepare_dagster_home(settings)
        return int(options.command(settings, options))
    except NbaPredictionsError as error:
        print(f"nba-predictions: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nba-predictions", description=__doc__)
    parser.set_defaults(profile=None)
    commands = parser.add_subparsers(required=True)
    for name, command, explanation in (
        ("run", run, "predict one game date end to end, and publish it"),
        ("grade", grade, "grade the predictions of one finished game date"),
        ("audit", audit, "say what became of one game date, from data"),
    ):
        sub = commands.add_parser(name, help=explanation, description=explanation)
        sub.add_argument(
            "--game-date",
            type=date.fromisoformat,
            default=DEFAULT_GAME_DATE,
            help="date of the games, US Eastern, YYYY-MM-DD (default: %(default)s)",
        )
        sub.set_defaults(command=command)
        if command is audit:
            sub.add_argument(
                "--batch", metavar="ID", help="one batch, instead of the newest of a date"
            )
            sub.add_argument("--json", action="store_true", help="print the whole report as JSON")
    explanation = "list the players who failed for good"
    sub = commands.add_parser("dead-letters", help=explanation, description=explanation)
    sub.add_argument("--game-date", type=date.fromisoformat, help="of one date (default: all)")
    sub.set_defaults(command=dead_letters)
    explanation = "predict players of a batch again, merge, clean up and publish"
    sub = commands.add_parser("replay", help=explanation, description=explanation)
    sub.add_argument("--batch", metavar="ID", required=True, help="the batch, as audit names it")
    sub.add_argument(
        "--player",
        metavar="LOOKUP",
        action="append",
        default=[],
        help="whom, may be repeated (default: everybody who is not done)",
    )
    sub.set_defaults(command=replay)
    explanation = "do what the verdict on a date calls for, after asking; safe to repeat"
    sub = commands.add_parser("repair", help=explanation, description=explanation)
    sub.add_argument("--game-date", type=date.fromisoformat, required=True, help="YYYY-MM-DD")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    sub.set_defaults(command=repair)
    explanation = "create what a night needs in Google Cloud; harmless to repeat"
    cloud = commands.add_parser("gcp", help="prepare Google Cloud")
    sub = cloud.add_subparsers(required=True).add_parser(
        "init", help=explanation, description=explanation
    )
    sub.set_defaults(command=gcp_init, profile="gcp")
    explanation = "create DAGSTER_HOME with its configuration; harmless to repeat"
    sub = commands.add_parser("init", help=explanation, description=explanation)
    sub.set_defaults(command=lambda settings, options: 0)
    return parser


def prepare_dagster_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME, unless it is set, and put a configuration there."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()
    # Dagster refuses a relative one.
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        packaged = resources.files("nba_predictions").joinpath("dagster.yaml")
        configuration.write_text(packaged.read_text("utf-8"), "utf-8")
    return home


def gcp_init(settings: Settings, options: argparse.Namespace) -> int:
    """Create datasets, tables and topics, and say what was made and what is there."""
    night = _open(settings)
    made = [
        *night.warehouse.set_up(),
        *night.warehouse.prepare(),
        *night.batches.prepare(),
        *night.publisher.prepare(),
    ]
    for what in made:
        print(f"made {what}")
    place = settings.gcp
    assert place is not None
    print(
        f"READY project={place.project} dataset={place.dataset} location={place.location} "
        f"database={place.database} topic={place.topic} made={len(made)}"
    )
    return 0


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Predict a date, let the sensor publish what is done, and say how it ended."""
    night = _open(settings)
    with dg.DagsterInstance.get() as instance:
        succeeded = night.execute("nightly_predictions", options.game_date.isoformat(), instance)
        night.tick("publish_cleaned_batches", instance)
    night.warehouse.prepare()
    evidence = gather_evidence(options.game_date, night.batches, night.warehouse)
    code = _report_night(settings, options.game_date, evidence, night.warehouse)
    if not succeeded:
        # The batch that is shown may be an earlier one of the date, and complete.
        print(
            f"THIS RUN OF {options.game_date} FAILED, for the reasons given above", file=sys.stderr
        )
    return code if succeeded else 1


def audit(settings: Settings, options: argparse.Namespace) -> int:
    """Say what is there of a night, from data, and change nothing."""
    night = _open(settings)
    night.warehouse.prepare()
    game_date = options.game_date
    if options.batch:
        game_date = night.batches.get(options.batch).game_date
    evidence = gather_evidence(game_date, night.batches, night.warehouse, options.batch)
    told = report(evidence)
    if options.json:
        print(json.dumps(told, indent=1))
        return 0 if told["verdict"] == Verdict.COMPLETE.value else 1
    _print_steps(game_date, told)
    return _print_verdict(game_date, evidence, told)


def grade(settings: Settings, options: argparse.Namespace) -> int:
    """Grade a date and print how the systems stand."""
    night = _open(settings)
    with dg.DagsterInstance.get() as instance:
        if not night.execute("grade_predictions", options.game_date.isoformat(), instance):
            print(f"GRADING {options.game_date} FAILED, see the lines above", file=sys.stderr)
            return 1
    board = night.warehouse.query("system_performance", RESULTS, partition=options.game_date)
    _print_frame(pl.DataFrame(board))
    return 0


def dead_letters(settings: Settings, options: argparse.Namespace) -> int:
    """List the players who failed for good, and whether they were predicted after all."""
    store = _open(settings).batches
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
    night = _open(settings)
    batch = night.batches.get(options.batch)
    with dg.DagsterInstance.get() as instance:
        succeeded = night.replay(batch.game_date, instance, options.player, batch.batch_id)
        night.publish(batch.game_date, instance)
    evidence = gather_evidence(batch.game_date, night.batches, night.warehouse)
    told = report(evidence)
    _print_steps(batch.game_date, told)
    code = _print_verdict(batch.game_date, evidence, told)
    return code if succeeded else 1


def repair(settings: Settings, options: argparse.Namespace) -> int:
    """Do what the verdict on a date calls for, until it calls for nothing that was not tried."""
    night = _open(settings)
    night.warehouse.prepare()
    tried: set[Plan] = set()
    while True:
        evidence = gather_evidence(options.game_date, night.batches, night.warehouse)
        judgement = judge(evidence)
        _print_verdict(options.game_date, evidence, report(evidence))
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
    return night.execute("nightly_predictions", partition, instance)


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


def _open(settings: Settings) -> Pipeline:
    # Imported here, when DAGSTER_HOME and the settings are known to be right.
    from nba_predictions.pipeline import Pipeline

    return Pipeline(settings)


def _report_night(
    settings: Settings, game_date: date, evidence: Evidence, warehouse: Warehouse
) -> int:
    """Print the night by system and step by step, and the verdict as the last line."""
    told = report(evidence)
    if settings.source == "simulated":
        print("\nSIMULATED LEAGUE: these games, players and lines do not exist.")
    batch = evidence.batch
    if batch is not None:
        summary = warehouse.query(
            "night_summary", PREDICTIONS, partition=game_date, batch_id=batch.batch_id
        )
        if summary.num_rows:
            print()
            _print_frame(pl.DataFrame(summary))
    _print_steps(game_date, told)
    print(f"\nThe predictions are in {warehouse.where(PREDICTIONS)}")
    print(f"To look at the night in the Dagster UI: {_how_to_open(settings)}\n")
    return _print_verdict(game_date, evidence, told)


def _print_steps(game_date: date, told: Mapping[str, Any]) -> None:
    print(f"\n{'game_date':>13}  {game_date}")
    print(f"{'status':>13}  {told.get('status', '-')}")
    for step in told.get("steps", ()):
        count = "-" if step["count"] is None else step["count"]
        print(f"{step['step']:>13}  {count:>6} {step['what']:<8} {step['at'] or ''}")
    if told["verdict"] != Verdict.COMPLETE.value:
        print("\n".join(f"{'':>13}  {fact}" for fact in told["facts"]))


def _print_verdict(game_date: date, evidence: Evidence, told: Mapping[str, Any]) -> int:
    count = {step["step"]: step["count"] or 0 for step in told.get("steps", ())}
    if evidence.batch is None:
        print(f"NO BATCH OF {game_date} {told['verdict']}")
    else:
        print(
            f"BATCH {told['batch_id']} {told['verdict']} players={count['completed']} "
            f"staged={count['staged']} merged={count['in the table']} "
            f"cleaned={count['cleaned']} published={told['message_id'] or '-'}"
        )
    return 0 if told["verdict"] == Verdict.COMPLETE.value else 1


def _how_to_open(settings: Settings) -> str:
    if settings.source == "simulated":
        return "make dev"
    return f"make dev SOURCE=files DATA={os.path.relpath(settings.data or '.')}"


def _print_frame(frame: pl.DataFrame) -> None:
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=132,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    ):
        print(frame)


if __name__ == "__main__":
    sys.exit(main())
