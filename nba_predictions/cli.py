"""The command line: predict a night, grade one, prepare the home of a Dagster UI."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import resources
from pathlib import Path

import dagster as dg
import polars as pl

from nba_predictions.audit import gather_evidence
from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.batch import progress
from nba_predictions.domain.errors import NbaPredictionsError
from nba_predictions.domain.reconciliation import last_entry
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.domain.verdict import Evidence, Verdict, judge
from nba_predictions.settings import Settings
from nba_predictions.warehouse.port import Warehouse

#: A date in the middle of the simulated season, on which there is something to see.
DEFAULT_GAME_DATE = date(2026, 1, 15)
#: Dagster's own account of each event stays in its event log; stdout is for the milestones.
_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only when all that was asked is done."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment(os.environ)
        prepare_dagster_home(settings)
        return int(options.command(settings, options))
    except NbaPredictionsError as error:
        print(f"nba-predictions: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nba-predictions", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, command, explanation in (
        ("run", run, "predict one game date end to end, and publish it"),
        ("grade", grade, "grade the predictions of one finished game date"),
    ):
        sub = commands.add_parser(name, help=explanation, description=explanation)
        sub.add_argument(
            "--game-date",
            type=date.fromisoformat,
            default=DEFAULT_GAME_DATE,
            help="date of the games, US Eastern, YYYY-MM-DD (default: %(default)s)",
        )
        sub.set_defaults(command=command)
    explanation = "create DAGSTER_HOME with its configuration; harmless to repeat"
    sub = commands.add_parser("init", help=explanation, description=explanation)
    sub.set_defaults(command=lambda settings, options: 0)
    return parser


def prepare_dagster_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME, unless it is set, and put a configuration there."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(settings.home / "dagster"))).resolve()
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        packaged = resources.files("nba_predictions").joinpath("dagster.yaml")
        configuration.write_text(packaged.read_text("utf-8"), "utf-8")
    return home


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Predict a date, let the sensor publish what is done, and say how it ended."""
    night = _Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        night.execute("nightly_predictions", options.game_date.isoformat(), instance)
        night.tick("publish_cleaned_batches", instance)
    night.warehouse.prepare()
    evidence = gather_evidence(options.game_date, night.batches, night.warehouse)
    return _report_night(settings, options.game_date, evidence, night.warehouse)


def grade(settings: Settings, options: argparse.Namespace) -> int:
    """Grade a date and print how the systems stand."""
    night = _Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        if not night.execute("grade_predictions", options.game_date.isoformat(), instance):
            print(f"GRADING {options.game_date} FAILED, see the lines above", file=sys.stderr)
            return 1
    board = night.warehouse.query("system_performance", RESULTS, partition=options.game_date)
    _print_frame(pl.DataFrame(board))
    return 0


class _Pipeline:
    """The pipeline's jobs and sensors, run in this process as the daemon would run them."""

    def __init__(self, settings: Settings) -> None:
        # Imported here, when DAGSTER_HOME and the settings are known to be right.
        from nba_predictions.definitions import build_definitions, build_resources

        self._resources = build_resources(settings)
        self._definitions = build_definitions(self._resources)
        self.batches: BatchStore = self._resources["batches"]
        self.warehouse: Warehouse = self._resources["warehouse"]

    def execute(
        self,
        job: str,
        partition: str,
        instance: dg.DagsterInstance,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Run a job for a partition; return whether it succeeded."""
        return (
            self._definitions.resolve_job_def(job)
            .execute_in_process(
                partition_key=partition,
                instance=instance,
                run_config=_QUIET,
                tags=dict(tags or {}),
                raise_on_error=False,
            )
            .success
        )

    def tick(self, sensor: str, instance: dg.DagsterInstance) -> None:
        """Evaluate a sensor once and run what it asks for."""
        definition = self._definitions.resolve_sensor_def(sensor)
        wanted = {key: self._resources[key] for key in definition.required_resource_keys}
        with dg.build_sensor_context(
            instance=instance,
            repository_def=self._definitions.get_repository_def(),
            resources=wanted,
        ) as context:
            requests = definition.evaluate_tick(context).run_requests or []
        for request in requests:
            job = request.job_name or str(definition.job_name)
            self.execute(job, str(request.partition_key), instance, request.tags)


def _report_night(
    settings: Settings, game_date: date, evidence: Evidence, warehouse: Warehouse
) -> int:
    """Print the night by system, its numbers, and the verdict as the last line."""
    judgement = judge(evidence)
    batch = evidence.batch
    if settings.source == "simulated":
        print("\nSIMULATED LEAGUE: these games, players and lines do not exist.")
    if batch is None:
        print("\n".join(judgement.facts))
        print(f"NO BATCH {game_date} {judgement.verdict.value}")
        return 1
    summary = warehouse.query(
        "night_summary", PREDICTIONS, partition=game_date, batch_id=batch.batch_id
    )
    print()
    _print_frame(pl.DataFrame(summary))
    done = progress(batch, evidence.completions, evidence.dead_letters)
    published = last_entry(evidence.ledger, "published")
    cleaned = sum(e.counts["tables_dropped"] for e in evidence.ledger if e.event == "cleaned")
    for name, value in (
        ("game_date", game_date),
        ("status", done.status.value),
        ("games", batch.games),
        ("expected", done.expected),
        ("completed", done.completed),
        ("skipped", done.skipped),
        ("failed", done.failed),
        ("table", f"{PREDICTIONS.name} in {settings.home / 'warehouse.duckdb'}"),
    ):
        print(f"{name:>10}  {value}")
    if judgement.verdict is not Verdict.COMPLETE:
        print("\n".join(f"{'':>10}  {fact}" for fact in judgement.facts))
    print(f"\nTo look at the night in the Dagster UI: {_how_to_open(settings)}\n")
    print(
        f"BATCH {batch.batch_id} {judgement.verdict.value} players={done.completed} "
        f"staged={sum(c.rows for c in evidence.completions)} merged={evidence.target.batch_rows} "
        f"cleaned={cleaned} published={published.counts['message_id'] if published else '-'}"
    )
    return 0 if judgement.verdict is Verdict.COMPLETE else 1


def _how_to_open(settings: Settings) -> str:
    if settings.source == "simulated":
        return "make dev"
    return f"make dev SOURCE=files DATA={os.path.relpath(settings.data or '.')}"


def _print_frame(frame: pl.DataFrame) -> None:
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True
    ):
        print(frame)


if __name__ == "__main__":
    sys.exit(main())
