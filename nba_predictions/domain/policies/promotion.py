"""May a new model take the place of the present one? Only if it did better on unseen games."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

#: With fewer dates or player-games than these, luck would decide.
LEAST_DATES = 5
LEAST_PLAYER_GAMES = 400


@dataclass(frozen=True)
class DateComparison:
    """Absolute errors of the challenger minus those of the present model, summed over a date."""

    game_date: date
    player_games: int
    total_difference: float


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why. `difference` is in points; below zero is better."""

    promote: bool
    reason: str
    dates: int
    player_games: int
    difference: float | None


def decide(nights: Iterable[DateComparison]) -> Decision:
    """Promote a challenger whose error on the same rows is smaller; in a tie the present stays."""
    compared = [n for n in nights if n.player_games > 0]
    games = sum(n.player_games for n in compared)
    if len(compared) < LEAST_DATES or games < LEAST_PLAYER_GAMES:
        reason = (
            f"{games} player-games on {len(compared)} dates that neither model has seen are too "
            f"few to compare; {LEAST_PLAYER_GAMES} on {LEAST_DATES} are needed"
        )
        return Decision(False, reason, len(compared), games, None)
    difference = sum(n.total_difference for n in compared) / games
    on = f"on {games} player-games of {len(compared)} dates that neither has seen"
    if difference < 0:
        reason = f"its error is {-difference:.4f} points smaller {on}"
    elif difference > 0:
        reason = f"its error is {difference:.4f} points larger {on}"
    else:
        reason = f"its error is the same {on}"
    return Decision(difference < 0, reason, len(compared), games, difference)
