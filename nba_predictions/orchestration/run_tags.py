"""The tags of Dagster runs that the pipeline reads or sets."""

#: Set by Dagster: the partition of the run.
PARTITION_TAG = "dagster/partition"
#: Set by Dagster: the backfill that launched the run.
BACKFILL_TAG = "dagster/backfill"
#: Set by Dagster: the first run of a series of re-executions.
ROOT_RUN_TAG = "dagster/root_run_id"
#: The sensor and the run key that a run of the command line was requested with.
RUN_KEY_TAG = "nba_predictions/run_key"
#: The batch that a run publishes or finishes.
BATCH_TAG = "nba_predictions/batch_id"
#: The moment of a run, in ISO 8601 with an offset: no later fact is used. Default: its start.
AS_OF_TAG = "nba_predictions/as_of"
#: Set when a run has fetched its inputs: the moment of the run is not before it. ISO 8601.
FETCHED_TAG = "nba_predictions/fetched_at"
#: With the value `predict`, a run also predicts games that have begun.
BEGUN_GAMES_TAG = "nba_predictions/begun_games"
#: The number of the retry, on a run that the sensor `retry_unfinished_night` launched.
RETRY_TAG = "nba_predictions/retry"
#: What the runs of a job do with the batch of their date, unless the run configuration has a mode.
#: The configuration of a run replaces that of its job, and the launchpad starts with the default
#: values. Without this tag, a replay from the launchpad would predict all players.
MODE_TAG = "nba_predictions/mode"
#: The partition whose only slot in the run queue a run occupies (run_queue.py).
SLOT_TAG = "nba_predictions/slot"
#: Set by jobs that complete the work of another run of their date. Their runs occupy no slot, so
#: they never wait in the queue for that run.
RESCUE_TAG = "nba_predictions/rescue"
#: Set when a run is launched: the machine on which its process is.
MACHINE_TAG = "nba_predictions/machine"
#: Set by Dagster when it creates the Kubernetes job of a run: the image.
IMAGE_TAG = "dagster/image"
#: Read by Dagster: the seconds after which a run is ended.
MAX_RUNTIME_TAG = "dagster/max_runtime"
#: Read by Dagster: how often a run that was cut off is retried, and which of its steps.
MAX_RETRIES_TAG = "dagster/max_retries"
RETRY_STRATEGY_TAG = "dagster/retry_strategy"
#: Set by Dagster on a run that it retries: the retry. The retry has the number of the attempt.
AUTO_RETRY_TAG = "dagster/auto_retry_run_id"
RETRY_NUMBER_TAG = "dagster/retry_number"
#: Set by Dagster on a failed run: `STEP_FAILURE`, if a step failed and the run was not cut off.
FAILURE_REASON_TAG = "dagster/failure_reason"
#: How often the failure of a run was reported again, because Dagster did not retry the run.
REMINDERS_TAG = "nba_predictions/retry_reminders"
