"""The message that a player failed permanently, for subscribers that follow single players."""

from __future__ import annotations

from datetime import datetime

from pydantic import NonNegativeInt

from nba_predictions.domain.batches.batch import Batch, DeadLetter
from nba_predictions.domain.messages.phase import PhaseMessage


class DeadLetterMessage(PhaseMessage):
    """One player of a batch who could not be predicted, and why.

    The traceback stays in the batch store: a message is for deciding, not for debugging.
    """

    player_lookup: str
    error_class: str
    error_message: str
    attempts: NonNegativeInt
    timestamp: datetime
    run_id: str

    @classmethod
    def of(cls, batch: Batch, letter: DeadLetter) -> DeadLetterMessage:
        """Return the message of one dead letter of a batch."""
        return cls(
            execution_id=batch.batch_id,
            correlation_id=batch.run_id,
            game_date=batch.game_date,
            markets=batch.markets,
            player_lookup=letter.player_lookup,
            error_class=letter.error_class,
            error_message=letter.message,
            attempts=letter.attempts,
            timestamp=letter.recorded_at,
            run_id=letter.run_id,
        )

    @property
    def dedup_id(self) -> str:
        """A player who fails again in a later run is a new message."""
        return f"{self.execution_id}/{self.player_lookup}/{self.run_id}"
