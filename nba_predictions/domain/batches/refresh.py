"""What new lines, injuries and games change of a batch that was made in the morning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nba_predictions.domain.batches.batch import Completion, DeadLetter
from nba_predictions.domain.betting.slate import Skip, Slate, SlatePlayer

#: Why somebody is skipped who was on the slate before, and is not any more.
LEFT_SLATE = "left_slate: he has no game any more, or nothing says any more that he plays"
#: Why somebody is skipped who came onto the slate too late to be predicted.
GAME_BEGUN = "game_begun: he came onto the slate after its tip-off"


@dataclass(frozen=True)
class Refresh:
    """Whom to predict again, whom to skip from now on, and whom to leave as he is.

    `begun` are players whose inputs may have changed and whose game has begun: nothing that is
    known after tip-off may reach their rows. `expected` is how many players the batch then has to
    account for.
    """

    predict: tuple[SlatePlayer, ...]
    skip: tuple[Skip, ...]
    begun: tuple[str, ...]
    unchanged: int
    expected: int


def games_begun(slate: Slate, now: datetime | None) -> set[str]:
    """Return the game_ids of games whose tip-off is known and not after `now`; none without it."""
    if now is None:
        return set()
    return {g.game_id for g in slate.games if g.tipoff is not None and g.tipoff <= now}


def plan_refresh(
    slate: Slate,
    fingerprints: Mapping[str, str],
    completions: Sequence[Completion],
    dead_letters: Sequence[DeadLetter],
    *,
    lost: Collection[str] = (),
    begun: Collection[str] = (),
    predicted_for: Mapping[str, str] | None = None,
) -> Refresh:
    """Compare a slate with what a batch has recorded.

    Affected is who has no rows, or rows of other inputs than `fingerprints` has for him. Who is
    skipped by the slate, or has left it, and has not been skipped for that yet, is skipped now.

    Args:
        slate: as it is now.
        fingerprints: of the inputs of each of its players, as they are now.
        completions: what the batch has recorded, and with it the inputs of then.
        dead_letters: who failed; he is predicted again.
        lost: players whose staged rows are gone before they were merged.
        begun: game_ids of games that have begun; their players stay as they are.
        predicted_for: for which game_id each player's present rows are, where that is known.
    """
    predicted_for = predicted_for or {}
    done = {c.player_lookup: c for c in completions}
    known = set(done) | {d.player_lookup for d in dead_letters}
    predict: list[SlatePlayer] = []
    skip: list[Skip] = []
    too_late: list[str] = []
    unchanged = 0
    for player in slate.players:
        lookup = player.player_lookup
        was = done.get(lookup)
        same = was is not None and was.rows > 0 and was.fingerprint == fingerprints.get(lookup)
        if same and lookup not in lost:
            unchanged += 1
        elif player.game_id not in begun and predicted_for.get(lookup) not in begun:
            predict.append(player)
        elif lookup in known:
            too_late.append(lookup)
        else:
            skip.append(Skip(lookup, GAME_BEGUN))
    on_slate = {p.player_lookup for p in slate.players} | {s.player_lookup for s in slate.skips}
    # A skip of somebody who has left the slate keeps the reason that it has.
    left = [Skip(name, LEFT_SLATE) for name in sorted(known - on_slate)]
    for wanted in (*slate.skips, *left):
        was = done.get(wanted.player_lookup)
        keeps = was is not None and not was.rows and wanted.reason in (was.skip_reason, LEFT_SLATE)
        if keeps:
            unchanged += 1
        elif predicted_for.get(wanted.player_lookup) in begun:
            too_late.append(wanted.player_lookup)
        else:
            skip.append(wanted)
    expected = len(on_slate | known)
    return Refresh(tuple(predict), tuple(skip), tuple(sorted(too_late)), unchanged, expected)
