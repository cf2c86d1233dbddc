"""The tags of Dagster's runs that the pipeline reads or sets."""

#: Dagster's own: the partition that a run is for.
PARTITION_TAG = "dagster/partition"
#: Dagster's own: every run of a backfill that was launched from its UI has it.
BACKFILL_TAG = "dagster/backfill"
#: Dagster's own, of a run that repeats another: the first of them.
ROOT_RUN_TAG = "dagster/root_run_id"
#: The batch that a run publishes or finishes.
BATCH_TAG = "nba_predictions/batch_id"
#: What the runs of a job do with the batch of their date, unless their configuration says. A
#: configuration takes the place of a job's own as a whole, and the launchpad begins with the
#: defaults: were it not for the tag, a replay that is launched from there would predict everybody.
MODE_TAG = "nba_predictions/mode"
