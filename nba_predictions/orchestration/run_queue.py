"""The queue of the runs: a time limit for every run, and one run at a time for each partition.

`dagster.yaml` names this coordinator and limits the runs of each slot. The web server and the
daemon load this module, so it does not import the pipeline.
"""

import os
from collections.abc import Mapping

import dagster as dg

from nba_predictions.orchestration.dagster_internals import SubmitRunContext
from nba_predictions.orchestration.run_tags import (
    MAX_RUNTIME_TAG,
    PARTITION_TAG,
    RESCUE_TAG,
    SLOT_TAG,
)
from nba_predictions.settings import Settings


def queue_tags(tags: Mapping[str, str], max_seconds: int) -> dict[str, str]:
    """Return the tags of the time limit of a run, unless it has one, and of the slot it occupies.

    Two runs of a partition would do the same work twice, so they share a slot. A run of a job that
    completes the work of another run occupies none: it would wait for the run that it rescues.

    Args:
        tags: the tags that the run has.
        max_seconds: the time limit.
    """
    added = {} if MAX_RUNTIME_TAG in tags else {MAX_RUNTIME_TAG: str(max_seconds)}
    if PARTITION_TAG in tags and RESCUE_TAG not in tags:
        added[SLOT_TAG] = tags[PARTITION_TAG]
    return added


class NightRunCoordinator(dg.QueuedRunCoordinator):
    """Dagster's run queue. It tags each run with its time limit and its slot."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        run = context.dagster_run
        settings = Settings.from_environment(os.environ)
        self._instance.add_run_tags(run.run_id, queue_tags(run.tags, settings.max_run_seconds))
        return super().submit_run(context)
