"""The job that compares all past nights with the ledger, and its stored result.

The sensor `alert_on_changed_rows` reads the result, so a tick does not read the table.
"""

from pathlib import Path
from typing import Final

import dagster as dg

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.durable_files import SealedFolder
from nba_predictions.nightly.standing_audit import StandingAudit, audit_past_nights
from nba_predictions.orchestration.assets.staging import RETRY, Batches, TheWarehouse
from nba_predictions.orchestration.checks.input_gates import TheSettings

_FOLDER: Final = "audits"
_FILE: Final = "standing_audit.json"


def store_audit(home: Path, audit: StandingAudit) -> None:
    """Store the newest audit in the home."""
    folder = home / _FOLDER
    SealedFolder(folder).write(folder / _FILE, audit.to_json())


def stored_audit(home: Path) -> StandingAudit | None:
    """Return the newest audit; None before the first, or if its file is damaged."""
    folder = home / _FOLDER
    try:
        return StandingAudit.from_json(SealedFolder(folder).read(folder / _FILE).content)
    except (FileNotFoundError, DamagedFileError):
        return None


@dg.op(retry_policy=RETRY)
def compare_past_nights(
    context: dg.OpExecutionContext,
    settings: TheSettings,
    batches: Batches,
    warehouse: TheWarehouse,
) -> dg.Output[None]:
    """Compare the rows of all nights before today with the ledger, and store the result."""
    today = eastern_date(utc_now())
    audit = audit_past_nights(batches, warehouse, before=today, run_id=context.run_id)
    store_audit(settings.home, audit)
    differences = [f"{d.game_date} {d.batch_id}: {d.problem}" for d in audit.differences]
    return dg.Output(
        None,
        metadata={
            "nights": audit.nights,
            "skipped": audit.skipped,
            "without_checksum": audit.without_checksum,
            "differing": len(differences),
            "differences": dg.MetadataValue.md("\n".join(f"- {d}" for d in differences[:100])),
        },
    )


@dg.job(
    description="Compares the rows of all past nights with the ledger. Rows that are missing or "
    "changed raise an alert."
)
def standing_audit() -> None:
    compare_past_nights()
