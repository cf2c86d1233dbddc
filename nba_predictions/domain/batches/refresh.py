"""Plan the refresh of a finished batch: compare what it recorded with the current slate."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.betting.slate import Skip, Slate, SlatePlayer

#: The skip reason of a player who was on the slate before and no longer is.
LEFT_SLATE = "left_slate: no game, or no sign that the player still plays"
#: The skip reason of a player who joined the slate too late to be predicted.
GAME_BEGUN = "game_begun: joined the slate after the tip-off"


@dataclass(frozen=True)
class RefreshPlan:
    """Which players to predict again, to skip from now on, and to leave unchanged.

    Attributes:
        predict: players without rows, or with rows of other inputs.
        skip: players to skip who are not yet skipped for that reason.
        begun: players who may be affected, but whose game has begun. Nothing known after tip-off
            may reach their rows.
        unchanged: how many players need nothing.
        expected: how many players the batch has to account for afterwards.
    """

    predict: tuple[SlatePlayer, ...]
    skip: tuple[Skip, ...]
    begun: tuple[str, ...]
    unchanged: int
    expected: int


def plan_refresh(
    slate: Slate,
    fingerprints: Mapping[str, str],
    snapshot: BatchSnapshot,
    *,
    lost: Collection[str] = (),
    begun: Collection[str] = (),
    predicted_for: Mapping[str, str] | None = None,
) -> RefreshPlan:
    """Compare a slate with what a batch has recorded.

    Args:
        slate: the current slate.
        fingerprints: hashes of the current inputs, by player.
        snapshot: the batch, with the fingerprints of the inputs that it used.
        lost: players whose staged rows are missing and were never merged.
        begun: game_ids of games that have begun; their players stay unchanged. The slate may have
            these players, or leave them alone.
        predicted_for: the game_id of each player's current rows, where known.
    """
    predicted_for = predicted_for or {}
    completed = {c.player_lookup: c for c in snapshot.completions}
    known = set(completed) | {d.player_lookup for d in snapshot.dead_letters}
    predict: list[SlatePlayer] = []
    skip: list[Skip] = []
    too_late: list[str] = []
    unchanged = 0
    for player in slate.players:
        lookup = player.player_lookup
        before = completed.get(lookup)
        same_inputs = before and before.rows and before.fingerprint == fingerprints.get(lookup)
        if same_inputs and lookup not in lost:
            unchanged += 1
        elif player.game_id not in begun and predicted_for.get(lookup) not in begun:
            predict.append(player)
        elif lookup in known:
            too_late.append(lookup)
        else:
            skip.append(Skip(lookup, GAME_BEGUN))
    on_slate = slate.considered
    left_alone = known & set(slate.left_alone)
    left_slate = [Skip(name, LEFT_SLATE) for name in sorted(known - on_slate - left_alone)]
    for due in (*slate.skips, *left_slate):
        before = completed.get(due.player_lookup)
        # A player who was skipped before leaving the slate keeps the earlier reason.
        if before and not before.rows and due.reason in (before.skip_reason, LEFT_SLATE):
            unchanged += 1
        elif predicted_for.get(due.player_lookup) in begun:
            too_late.append(due.player_lookup)
        else:
            skip.append(due)
    expected = len(on_slate | known)
    too_late += left_alone
    return RefreshPlan(tuple(predict), tuple(skip), tuple(sorted(too_late)), unchanged, expected)
