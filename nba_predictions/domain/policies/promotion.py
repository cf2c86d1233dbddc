"""Promotion: a new model replaces the current one only if it did better on unseen games."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

#: With fewer dates or player-games, chance would decide.
MIN_DATES = 5
MIN_PLAYER_GAMES = 400


@dataclass(frozen=True)
class DateComparison:
    """Absolute errors of the challenger minus those of the current model, summed over a date."""

    game_date: date
    player_games: int
    total_difference: float


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why. A negative `difference` means that the challenger is better."""

    promote: bool
    reason: str
    dates: int
    player_games: int
    difference: float | None


def decide(nights: Iterable[DateComparison]) -> Decision:
    """Promote a challenger if its error on the same rows is smaller."""
    compared = [n for n in nights if n.player_games > 0]
    games = sum(n.player_games for n in compared)
    if len(compared) < MIN_DATES or games < MIN_PLAYER_GAMES:
        reason = (
            f"{games} player-games on {len(compared)} dates that neither model has seen are too "
            f"few to compare; {MIN_PLAYER_GAMES} on {MIN_DATES} dates are needed"
        )
        return Decision(False, reason, len(compared), games, None)
    difference = sum(n.total_difference for n in compared) / games
    sample = f"on {games} player-games of {len(compared)} dates that neither model has seen"
    if difference < 0:
        reason = f"its error is {-difference:.4f} points smaller {sample}"
    elif difference > 0:
        reason = f"its error is {difference:.4f} points larger {sample}"
    else:
        reason = f"its error is the same {sample}"
    return Decision(difference < 0, reason, len(compared), games, difference)
