"""Plan the repair of a night from the verdict of its audit."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from nba_predictions.domain.batches.batch import CLEANED_UP, BatchState
from nba_predictions.domain.batches.verdict import Evidence, Verdict


class Remedy(str, Enum):
    """One step of a repair. The value describes the step to the operator."""

    RUN_NIGHT = "run the night again; it resumes the unfinished batch, or starts a new one"
    REPLAY = "predict players again, merge and clean up"
    FINISH = "merge what is staged, count it, and clean up"
    REMOVE_DUPLICATES = "remove all but the newest row of each duplicated key"
    PUBLISH = "publish the completion message"


@dataclass(frozen=True)
class Plan:
    """The remedies in order, the players they concern, and why.

    Without remedies, `why` says why nothing needs to be done.
    """

    remedies: tuple[Remedy, ...]
    why: str
    players: tuple[str, ...] = ()


def plan_repair(
    evidence: Evidence, verdict: Verdict, players_without_rows: Collection[str] = ()
) -> Plan:
    """Return what a verdict calls for.

    Args:
        evidence: what the verdict rests on.
        verdict: the verdict on the evidence.
        players_without_rows: players with fewer rows of the batch in the target than recorded.

    Returns:
        A plan that never publishes a batch whose completion message is turned off.
    """
    plan = _plan(evidence, verdict, players_without_rows)
    if evidence.batch is None or evidence.batch.announce:
        return plan
    return replace(plan, remedies=tuple(r for r in plan.remedies if r is not Remedy.PUBLISH))


def with_stored_inputs(plan: Plan, problem: str | None) -> Plan:
    """Return the plan, or a run of the whole night if the stored inputs cannot be used.

    A replay and the end of a batch read the inputs that the last run stored. A run makes them
    again. `problem` says why they cannot be used.
    """
    if problem is None or not {Remedy.REPLAY, Remedy.FINISH} & set(plan.remedies):
        return plan
    publish = tuple(r for r in plan.remedies if r is Remedy.PUBLISH)
    return Plan((Remedy.RUN_NIGHT, *publish), f"{plan.why}, and {problem}")


def _plan(evidence: Evidence, verdict: Verdict, players_without_rows: Collection[str]) -> Plan:
    batch = evidence.batch
    if verdict is Verdict.COMPLETE:
        return Plan((), "nothing to repair")
    if verdict is Verdict.IN_PROGRESS:
        return Plan((), "a run is working on it; wait until it is done, or has stalled")
    if batch is None:
        return Plan((Remedy.RUN_NIGHT, Remedy.PUBLISH), "the date has no batch")
    if verdict is Verdict.STALLED or batch.state is BatchState.FAILED:
        return Plan((Remedy.RUN_NIGHT, Remedy.PUBLISH), "the batch stopped before it was staged")
    if verdict is Verdict.DUPLICATE_KEYS:
        return Plan((Remedy.REMOVE_DUPLICATES,), "keys are duplicated")
    if verdict is Verdict.ROWS_MISSING:
        players = tuple(sorted(players_without_rows))
        why = f"{len(players)} players have fewer rows in the table than were recorded"
        return Plan((Remedy.REPLAY, Remedy.PUBLISH), why, players)
    if verdict is Verdict.ROWS_CHANGED and evidence.snapshot is not None:
        players = tuple(sorted(c.player_lookup for c in evidence.snapshot.completions if c.rows))
        return Plan((Remedy.REPLAY, Remedy.PUBLISH), "rows were changed after the merge", players)
    if verdict is Verdict.PARTIAL:
        return Plan((Remedy.REPLAY, Remedy.PUBLISH), "some players have no predictions")
    if verdict is Verdict.STAGED_NOT_MERGED:
        lost = tuple(evidence.lost_staging)
        if lost:
            why = f"the staging of {len(lost)} players is missing"
            return Plan((Remedy.REPLAY, Remedy.PUBLISH), why, lost)
        return Plan((Remedy.FINISH, Remedy.PUBLISH), "staged rows are not merged")
    before = () if batch.state in CLEANED_UP else (Remedy.FINISH,)
    return Plan((*before, Remedy.PUBLISH), "the table is complete, but not published")
