"""The command line: predict a night, grade it, audit it, prepare the home of a Dagster UI."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.audit import gather_evidence, report
from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.errors import NbaPredictionsError
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.domain.verdict import Evidence, Verdict
from nba_predictions.messaging.port import Publisher
from nba_predictions.settings import Settings
from nba_predictions.warehouse.port import Warehouse

#: A date in the middle of the simulated season, on which there is something to see.
DEFAULT_GAME_DATE = date(2026, 1, 15)
#: Dagster's own account of each event stays in its event log; stdout is for the milestones, and
#: what failed is said once, on stderr.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


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
            sub.add_argument("--batch", metavar="ID", help="a batch of the date (default: newest)")
            sub.add_argument("--json", action="store_true", help="print the whole report as JSON")
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
    night = _Pipeline(settings)
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
    night = _Pipeline(settings)
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
    night = _Pipeline(settings)
    night.warehouse.prepare()
    evidence = gather_evidence(options.game_date, night.batches, night.warehouse, options.batch)
    told = report(evidence)
    if options.json:
        print(json.dumps(told, indent=1))
        return 0 if told["verdict"] == Verdict.COMPLETE.value else 1
    _print_steps(options.game_date, told)
    return _print_verdict(options.game_date, evidence, told)


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
        self.publisher: Publisher = self._resources["publisher"]
        self.warehouse: Warehouse = self._resources["warehouse"]

    def execute(
        self,
        job: str,
        partition: str,
        instance: dg.DagsterInstance,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Run a job for a partition; say what failed, and return whether it succeeded."""
        result = self._definitions.resolve_job_def(job).execute_in_process(
            partition_key=partition,
            instance=instance,
            run_config=_QUIET,
            tags=dict(tags or {}),
            raise_on_error=False,
        )
        _explain_failures(result)
        return result.success

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


#: Errors whose message says it all; of others the traceback is wanted.
_PLAIN = frozenset(
    {c.__name__ for c in NbaPredictionsError.__subclasses__()}
    | {"Failure", "DagsterAssetCheckFailedError"}
)
_WRAPPERS = ("DagsterExecutionStepExecutionError", "RetryRequestedFromPolicy")


def _explain_failures(result: dg.ExecuteInProcessResult) -> None:
    """Say on stderr which steps failed or were tried again, and why; the same reason once."""
    steps: dict[tuple[str, str], list[str]] = {}
    for event in result.all_events:
        if event.is_step_failure:
            error, what = event.step_failure_data.error, "failed"
        elif event.is_step_up_for_retry:
            error, what = event.step_retry_data.error, "failed and was tried again"
        else:
            continue
        # What a step raised comes wrapped in an error of Dagster's.
        if error is not None and error.cls_name in _WRAPPERS:
            error = error.cause or error
        if error is None:
            reason = "no reason was recorded"
        elif error.cls_name in _PLAIN:
            reason = error.message.partition(": ")[2].strip()
        else:
            reason = error.to_string()
        steps.setdefault((what, reason), []).append(str(event.step_key))
    for (what, reason), keys in steps.items():
        print(f"nba-predictions: {', '.join(keys)} {what}: {reason}", file=sys.stderr)


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
