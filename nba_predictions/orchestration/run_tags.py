"""The tags of Dagster runs that the pipeline reads or sets."""

#: Set by Dagster: the partition of the run.
PARTITION_TAG = "dagster/partition"
#: Set by Dagster: the backfill that launched the run.
BACKFILL_TAG = "dagster/backfill"
#: Set by Dagster: the first run of a series of re-executions.
ROOT_RUN_TAG = "dagster/root_run_id"
#: The batch that a run publishes or finishes.
BATCH_TAG = "nba_predictions/batch_id"
#: What the runs of a job do with the batch of their date, unless the run configuration has a mode.
#: The configuration of a run replaces that of its job, and the launchpad starts with the default
#: values. Without this tag, a replay from the launchpad would predict all players.
MODE_TAG = "nba_predictions/mode"
