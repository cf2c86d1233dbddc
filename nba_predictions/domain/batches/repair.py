"""What each verdict calls for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from nba_predictions.domain.batches.batch import CLEANED_UP, BatchState
from nba_predictions.domain.batches.reconciliation import unmerged_staging
from nba_predictions.domain.batches.verdict import Evidence, Judgement, Verdict


class Remedy(str, Enum):
    """One thing that mends; its value says what is done."""

    RUN_NIGHT = "run the night again; it takes the batch up where it was left, or begins one"
    REPLAY = "predict players again, merge and clean up"
    FINISH = "merge what is staged, count it, and clean up"
    REMOVE_DUPLICATES = "remove all but the newest row of each key that stands twice"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Plan:
    """The remedies in their order, for which players, and why; without any, why not."""

    remedies: tuple[Remedy, ...]
    why: str
    players: tuple[str, ...] = ()


def plan_repair(
    evidence: Evidence, judgement: Judgement, players_without_rows: Collection[str] = ()
) -> Plan:
    """Return what a verdict calls for.

    `players_without_rows` have fewer rows of the batch in the target than were recorded. A batch
    that is not to be announced is mended, and not published.
    """
    plan = _plan(evidence, judgement, players_without_rows)
    if evidence.batch is None or evidence.batch.announce:
        return plan
    return replace(plan, remedies=tuple(r for r in plan.remedies if r is not Remedy.PUBLISH))


def _plan(evidence: Evidence, judgement: Judgement, players_without_rows: Collection[str]) -> Plan:
    batch, verdict = evidence.batch, judgement.verdict
    if verdict is Verdict.COMPLETE:
        return Plan((), "nothing to mend")
    if verdict is Verdict.IN_PROGRESS:
        return Plan((), "a run is at work on it; wait until it is done, or has stalled")
    if batch is None or verdict is Verdict.STALLED or batch.state is BatchState.FAILED:
        return Plan((Remedy.RUN_NIGHT, Remedy.PUBLISH), "it was not staged to its end")
    if verdict is Verdict.DUPLICATE_KEYS:
        return Plan((Remedy.REMOVE_DUPLICATES,), "keys stand twice")
    if verdict is Verdict.ROWS_MISSING:
        players = tuple(sorted(players_without_rows))
        why = f"{len(players)} players have fewer rows in the table than were recorded"
        return Plan((Remedy.REPLAY, Remedy.PUBLISH), why, players)
    if verdict is Verdict.PARTIAL:
        return Plan((Remedy.REPLAY, Remedy.PUBLISH), "players are not done")
    if verdict is Verdict.STAGED_NOT_MERGED:
        unmerged = unmerged_staging(evidence.completions, evidence.ledger)
        gone = [c.player_lookup for c in unmerged if c.staging_table not in evidence.staging_there]
        if gone:
            why = f"the staging of {len(gone)} players is gone"
            return Plan((Remedy.REPLAY, Remedy.PUBLISH), why, tuple(sorted(gone)))
        return Plan((Remedy.FINISH, Remedy.PUBLISH), "what is staged is not merged")
    before = () if batch.state in CLEANED_UP else (Remedy.FINISH,)
    return Plan((*before, Remedy.PUBLISH), "the table is complete, its readers were not told")
