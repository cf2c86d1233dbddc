"""The message "Phase 5 complete": one typed model that builds, validates and reads it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from nba_predictions.domain.batches.batch import BatchStatus
from nba_predictions.domain.messages.phase import PhaseMessage
from nba_predictions.domain.tables import PREDICTIONS

TOPIC = "nba-phase5-predictions-complete"


class CompletionMetadata(BaseModel):
    """The counts of a batch, from which a subscriber decides whether the night is good enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_id: str
    expected_players: NonNegativeInt
    completed_players: NonNegativeInt
    skipped_players: NonNegativeInt
    failed_players: NonNegativeInt
    rows_staged: NonNegativeInt
    rows_merged: NonNegativeInt
    completion_pct: float = Field(ge=0, le=100)
    #: The games of the date (game_id) that had begun before the batch was created. It has no rows
    #: of them. Messages of earlier versions do not have this field.
    begun_games: tuple[str, ...] = ()


class CompletionMessage(PhaseMessage):
    """One finished batch, for the phases downstream.

    Raises:
        pydantic.ValidationError: a field is missing, unknown, or not of its type; `status` is not
            one of the four words; the time has no zone; a `success` that merged nothing.
    """

    status: BatchStatus
    timestamp: datetime
    record_count: NonNegativeInt
    records_failed: NonNegativeInt
    duration_seconds: float = Field(ge=0)
    output_table: str = PREDICTIONS.name
    metadata: CompletionMetadata
    #: How often the batch went out before. It makes the dedup_id, and is no part of the JSON.
    revision: NonNegativeInt = Field(0, exclude=True)
    #: Orders the messages of a date. It is an attribute, and not part of the JSON.
    sequence: NonNegativeInt = Field(0, exclude=True)

    @model_validator(mode="after")
    def _is_coherent(self) -> CompletionMessage:
        if self.timestamp.tzinfo is None:
            raise ValueError("timestamp needs a time zone; pass an aware UTC datetime")
        if self.execution_id != self.metadata.batch_id:
            raise ValueError("execution_id and metadata.batch_id must be the same batch")
        if self.record_count != self.metadata.rows_merged:
            raise ValueError("record_count must be metadata.rows_merged")
        if self.status in (BatchStatus.SUCCESS, BatchStatus.PARTIAL) and not self.record_count:
            raise ValueError(f"a batch that merged nothing cannot be {self.status.value}")
        if self.status is BatchStatus.SUCCESS and self.records_failed:
            raise ValueError(f"{self.records_failed} failed players cannot be a success")
        return self

    @property
    def attributes(self) -> dict[str, str]:
        return {**super().attributes, "sequence": str(self.sequence)}

    @property
    def dedup_id(self) -> str:
        """The batch_id; once players were replayed into a published batch, with the revision."""
        return f"{self.execution_id}.{self.revision}" if self.revision else self.execution_id
