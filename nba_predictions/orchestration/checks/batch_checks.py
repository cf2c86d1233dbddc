"""The checks of a merged batch, which block its cleanup, and the audit of a published night."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import WHOLE
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.audit import audit_night
from nba_predictions.nightly.current_batch import current_batch, read_snapshot
from nba_predictions.orchestration import display
from nba_predictions.orchestration.assets.merge import player_prop_predictions
from nba_predictions.orchestration.assets.publication import phase5_completion
from nba_predictions.orchestration.assets.staging import Batches, TheWarehouse
from nba_predictions.orchestration.partitions import game_date_of, partitioned_check_spec
from nba_predictions.report.night import steps_table
from nba_predictions.warehouse.port import Warehouse

_DESCRIPTIONS = {
    "merged_rows_match_staged": "The target has as many rows of the batch as were staged.",
    "no_duplicate_keys": "No business key occurs twice on the date.",
    "batch_is_complete": "Every expected player is predicted or skipped. Warns if some failed, and "
    "fails below the completion threshold.",
}
_SPECS = [
    partitioned_check_spec(
        name, asset=player_prop_predictions, description=description, blocking=True
    )
    for name, description in _DESCRIPTIONS.items()
]
_AUDIT = partitioned_check_spec(
    "the_night_is_whole",
    asset=phase5_completion,
    description="The verdict of the audit is COMPLETE. The audit reads the batch store, the "
    "staging tables, the target table and the ledger. Warns if the verdict is PARTIAL.",
)


@dg.multi_asset_check(specs=[_AUDIT])
def the_night_is_whole(
    context: dg.AssetCheckExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> dg.AssetCheckResult:
    """Audit the date after each publication."""
    return audit_check(game_date_of(context.partition_key), batches, warehouse)


def audit_check(game_date: date, batches: BatchStore, warehouse: Warehouse) -> dg.AssetCheckResult:
    """Return the result of `the_night_is_whole`."""
    audit = audit_night(game_date, batches, warehouse)
    partial = audit.verdict is Verdict.PARTIAL
    return dg.AssetCheckResult(
        check_name=_AUDIT.name,
        asset_key=_AUDIT.asset_key,
        passed=audit.complete,
        severity=dg.AssetCheckSeverity.WARN if partial else dg.AssetCheckSeverity.ERROR,
        description=f"{audit.verdict.value}: {'; '.join(audit.facts)}",
        metadata={
            "batch_id": audit.batch.batch_id if audit.batch else None,
            "verdict": audit.verdict.value,
            "steps": display.table(steps_table(audit.steps)),
        },
    )


@dg.multi_asset_check(specs=_SPECS, can_subset=True)
def batch_is_merged_and_complete(
    context: dg.AssetCheckExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> Iterator[dg.AssetCheckResult]:
    """Check the newest batch of the date by its ledger, its completions and the target table."""
    selected = {key.name for key in context.selected_asset_check_keys}
    for result in batch_check_results(game_date_of(context.partition_key), batches, warehouse):
        if result.check_name in selected:
            yield result


def batch_check_results(
    game_date: date, batches: BatchStore, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the checks of `player_prop_predictions`.

    Raises:
        BatchStateError: the date has no batch.
    """
    batch = current_batch(batches, game_date)
    target = warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
    snapshot = read_snapshot(batches, batch.batch_id)
    reconciliation, progress = snapshot.reconciliation, snapshot.progress
    problems, numbers = ["the ledger has no merge of this batch"], {}
    if reconciliation is not None:
        problems, numbers = reconciliation.merge_problems(), reconciliation.numbers()
        if target.batch_rows != reconciliation.batch_rows_in_target:
            problems.append(f"the target table has {target.batch_rows} rows of this batch now")
    yield dg.AssetCheckResult(
        check_name="merged_rows_match_staged",
        asset_key=player_prop_predictions.key,
        passed=not problems,
        description="; ".join(problems) or None,
        metadata={"batch_id": batch.batch_id, **numbers},
    )

    yield dg.AssetCheckResult(
        check_name="no_duplicate_keys",
        asset_key=player_prop_predictions.key,
        passed=not target.duplicate_keys,
        metadata={"batch_id": batch.batch_id, "duplicate_keys": target.duplicate_keys},
    )

    yield dg.AssetCheckResult(
        check_name="batch_is_complete",
        asset_key=player_prop_predictions.key,
        passed=progress.status in WHOLE,
        severity=(
            dg.AssetCheckSeverity.WARN if progress.may_be_published else dg.AssetCheckSeverity.ERROR
        ),
        description=(
            f"{progress.status.value}: "
            + (
                f"{progress.completion_pct}% of {progress.expected} players"
                if progress.may_be_published
                else progress.below_threshold
            )
        ),
        metadata={
            "batch_id": batch.batch_id,
            **progress.counts(),
            "completion_pct": progress.completion_pct,
            "threshold_pct": 100 * progress.threshold,
        },
    )
