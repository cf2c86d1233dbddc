"""What all messages to the phases downstream have in common."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nba_predictions.domain.market import POINTS


class PhaseMessage(BaseModel):
    """A message about one batch. `execution_id` is its batch_id, `correlation_id` the run that
    began it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processor_name: Literal["nba_predictions"] = "nba_predictions"
    phase: Literal["phase_5_predictions"] = "phase_5_predictions"
    execution_id: str
    correlation_id: str
    game_date: date
    #: The markets that the batch predicts. Messages of version 0.1.0 do not have this field.
    markets: tuple[str, ...] = (POINTS.name,)

    @property
    def dedup_id(self) -> str:
        """Readers drop a second message with the same dedup_id."""
        raise NotImplementedError

    @property
    def ordering_key(self) -> str:
        """Messages of one date reach a reader in the order of their publication."""
        return self.game_date.isoformat()

    @property
    def attributes(self) -> dict[str, str]:
        return {
            "dedup_id": self.dedup_id,
            "game_date": self.game_date.isoformat(),
            "phase": self.phase,
        }
