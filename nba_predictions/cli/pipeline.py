"""Run jobs and sensors of the pipeline in this process, and print why they failed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from nba_predictions.alerts.port import Notifier
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.cli.startup import dagster_home
from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, BatchState
from nba_predictions.domain.batches.ledger import LedgerEvent, entries_of
from nba_predictions.domain.errors import BatchStateError, NbaPredictionsError, SettingsError
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.current_batch import newest_batch, set_announce
from nba_predictions.orchestration.partitions import game_date_of
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.run_launcher import Machine
from nba_predictions.orchestration.run_queue import queue_tags
from nba_predictions.orchestration.run_tags import BATCH_TAG, PARTITION_TAG, RUN_KEY_TAG
from nba_predictions.orchestration.step_errors import raised
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.port import Warehouse

#: Dagster's event lines stay in its event log. The command line prints the milestones on stdout,
#: and each error once on stderr.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Pipeline:
    """The jobs and sensors of the pipeline, run in this process as the daemon would run them.

    As a context manager it opens and closes the Dagster instance, which runs and ticks need.

    A pipeline for `reading` creates nothing and waits only briefly for a locked warehouse. If there
    is no Dagster instance, it uses an empty one in memory.
    """

    instance: dg.DagsterInstance

    def __init__(self, settings: Settings, *, reading: bool = False) -> None:
        self._max_run_seconds = settings.max_run_seconds
        self._cursors: dict[str, str | None] = {}
        self._dagster_home = dagster_home(settings)
        self._reading = reading
        self._resources = build_resources(settings, reading=reading)
        self._definitions = build_definitions(self._resources)
        self.batches: BatchStore = self._resources["batches"]
        self.publisher: Publisher = self._resources["publisher"]
        self.warehouse: Warehouse = self._resources["warehouse"]
        self.notifier: Notifier = self._resources["notifier"]
        self.model_store: ModelStore = self._resources["model_store"]
        self.league: LeagueSource = self._resources["league"]

    def __enter__(self) -> Pipeline:
        if self._reading and not (self._dagster_home / "dagster.yaml").is_file():
            self.instance = dg.DagsterInstance.ephemeral()
        else:
            os.environ["DAGSTER_HOME"] = str(self._dagster_home)
            self.instance = dg.DagsterInstance.get()
        return self

    def __exit__(self, *error: object) -> None:
        self.instance.dispose()

    @property
    def repository(self) -> dg.RepositoryDefinition:
        return self._definitions.get_repository_def()

    def execute(
        self,
        job: str,
        game_date: date,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> bool:
        """Run a job for a game date, print its errors, and return whether it succeeded.

        Raises:
            SettingsError: the date is not a partition of the pipeline.
        """
        definition = self._definitions.resolve_job_def(job)
        partition = game_date.isoformat()
        # As in the run queue, so that a daemon ends a run whose process was killed, and starts no
        # second run of the date meanwhile.
        given = {**definition.run_tags, **(tags or {}), PARTITION_TAG: partition}
        queued = queue_tags(given, self._max_run_seconds)
        try:
            result = definition.execute_in_process(
                partition_key=partition,
                instance=self.instance,
                run_config={**_QUIET, **(config or {})},
                tags={**(tags or {}), **queued, **Machine.current().tags()},
                raise_on_error=False,
            )
        except dg.DagsterUnknownPartitionError as error:
            raise SettingsError(
                f"{game_date} cannot be predicted or graded; choose a date from "
                f"{self.league.first_date or 'October 2000'}, the first date of the source "
                f"{self.league.name}, to today"
            ) from error
        print_failures(result)
        return result.success

    def replay(self, batch: Batch, players: Sequence[str] = ()) -> bool:
        """Replay players of a batch, by default those who are not done; merge and clean up."""
        config = fan_out(players=list(players), batch_id=batch.batch_id)
        return self.execute("replay_players", batch.game_date, config=config)

    def publish(self, game_date: date) -> bool:
        """Publish the batch of a date if it is not yet published; return whether nothing failed."""
        batch = newest_batch(self.batches, game_date)
        if batch is None or batch.state not in CLEANED_UP or not batch.announce:
            return True
        if self.is_published(batch):
            return True
        return self.execute("publish_phase5_completion", game_date, {BATCH_TAG: batch.batch_id})

    def enable_and_publish(self, batch: Batch) -> bool:
        """Turn on the publication of a batch, and publish it; return whether that succeeded.

        Raises:
            BatchStateError: a newer batch has superseded it, or it is not cleaned up.
        """
        newest = newest_batch(self.batches, batch.game_date)
        if newest is not None and newest.batch_id != batch.batch_id:
            raise BatchStateError(
                f"{batch.batch_id} is superseded by {newest.batch_id}; publish that batch of "
                f"{batch.game_date} instead"
            )
        if batch.state not in CLEANED_UP:
            raise BatchStateError(
                f"{batch.batch_id} is {batch.state.value}, but only a cleaned batch can be "
                f"published; run `nba-predictions repair --game-date {batch.game_date}` first"
            )
        set_announce(self.batches, batch.batch_id, True, run_id="announce")
        return self.publish(batch.game_date)

    def is_published(self, batch: Batch) -> bool:
        """Return whether the current state of a batch was published."""
        published = entries_of(self.batches.ledger(batch.batch_id), LedgerEvent.PUBLISHED)
        return bool(published) and batch.state is BatchState.PUBLISHED

    def audit(self, game_date: date, batch_id: str | None = None) -> NightAudit:
        """Audit the newest batch of a date, or the named batch."""
        return audit_night(game_date, self.batches, self.warehouse, batch_id)

    def tick(self, sensor: str) -> int:
        """Evaluate a sensor once, and run the jobs that it requests.

        Return the number of runs. As in the daemon, a run key is run once.
        """
        definition = self._definitions.resolve_sensor_def(sensor)
        resources = {key: self._resources[key] for key in definition.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=self.repository,
            resources=resources,
            cursor=self._cursors.get(sensor),
        ) as context:
            found = definition.evaluate_tick(context)
        self._cursors[sensor] = found.cursor
        requests = found.run_requests or []
        runs = 0
        for request in requests:
            key = {RUN_KEY_TAG: f"{sensor}:{request.run_key}"}
            if self.instance.get_runs_count(dg.RunsFilter(tags=key)):
                continue
            job = request.job_name or str(definition.job_name)
            game_date = game_date_of(str(request.partition_key))
            self.execute(job, game_date, {**request.tags, **key}, request.run_config)
            runs += 1
        return runs


#: Errors whose message is enough. All others are printed with their traceback.
_PLAIN_ERRORS = frozenset(
    {c.__name__ for c in NbaPredictionsError.__subclasses__()}
    | {"Failure", "DagsterAssetCheckFailedError"}
)


def print_failures(result: dg.ExecuteInProcessResult) -> None:
    """Print on stderr which steps failed or were retried, and why; print equal reasons once."""
    steps: dict[tuple[str, str], list[str]] = {}
    checks = {}
    for event in result.all_events:
        if event.is_step_failure:
            error, outcome = event.step_failure_data.error, "failed"
        elif event.is_step_up_for_retry:
            error, outcome = event.step_retry_data.error, "failed and was retried"
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
                checks[check.asset_check_key.to_user_string()] = check.description
            continue
        else:
            continue
        error = raised(error)
        if error is None:
            reason = "no reason was recorded"
        elif error.cls_name in _PLAIN_ERRORS:
            reason = error.message.partition(": ")[2].strip()
        else:
            reason = error.to_string()
        steps.setdefault((outcome, reason), []).append(str(event.step_key))
    for (outcome, reason), keys in steps.items():
        print(f"nba-predictions: {', '.join(keys)} {outcome}: {reason}", file=sys.stderr)
    # The error of a failed step names its checks, but not their descriptions.
    for name, description in checks.items():
        print(f"nba-predictions: {name}: {description}", file=sys.stderr)
