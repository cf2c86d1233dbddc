"""The run configuration of the fan-out: what a run does, for which players, in what chunks."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from nba_predictions.domain.errors import BatchStateError
from nba_predictions.nightly.open_batch import BatchTerms
from nba_predictions.nightly.start import Mode, StartRequest
from nba_predictions.orchestration.run_tags import BACKFILL_TAG, MODE_TAG


class FanOutConfig(dg.Config):
    """What a run does with the batch of its date, and how it divides the players."""

    chunk_size: int = Field(
        100, ge=1, le=500, description="Players per op, 1 to 500. An op costs about 100 ms."
    )
    mode: Mode | None = Field(
        None,
        description="What to do with the batch of the date. Default: the mode of the job. "
        + " ".join(f"{mode.name}: {mode.value}." for mode in Mode),
    )
    players: list[str] = Field(
        [],
        max_length=1000,
        description="Players to replay, by player_lookup, for example paulgeorge. Default: players "
        "not yet done.",
    )
    batch_id: str | None = Field(
        None,
        pattern=r"^batch_\d{4}-\d{2}-\d{2}_\d+$",
        description="Refuse to replay into any other batch, for example "
        "batch_2026-01-15_1768460400.",
    )
    refresh_past: bool = Field(
        False, description="Also refresh a date that is over, and ignore tip-offs."
    )
    announce: bool | None = Field(
        None,
        description="Whether the completion message is published. Default: yes, unless a backfill "
        "launched the run.",
    )

    def request(self, run_tags: Mapping[str, str], terms: BatchTerms) -> StartRequest:
        """Return what the run asks for; its mode is configured, or that of its job.

        Raises:
            BatchStateError: an option belongs to another mode.
        """
        mode = self.mode or Mode[run_tags.get(MODE_TAG, Mode.predict.name)]
        if mode is not Mode.replay and (self.players or self.batch_id):
            raise BatchStateError(
                f"players or batch_id are set, but the mode of this run is {mode.name}; use the "
                f"job replay_players, or set mode: replay"
            )
        if mode is not Mode.refresh and self.refresh_past:
            raise BatchStateError(
                f"refresh_past is set, but the mode of this run is {mode.name}; use the job "
                f"refresh_predictions, or set mode: refresh"
            )
        return StartRequest(mode, terms, self.players, self.batch_id, self.refresh_past)

    def announces(self, run_tags: Mapping[str, str]) -> bool:
        """Return whether the completion message is published."""
        return BACKFILL_TAG not in run_tags if self.announce is None else self.announce


class StageConfig(dg.Config):
    """How the players of a chunk are staged."""

    threads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Players staged concurrently per op, 1 to 64. Default: what suits the "
        "warehouse.",
    )


def fan_out(mode: Mode | None = None, **config: Any) -> dict[str, Any]:
    """Return the run configuration of a job that stages players."""
    if mode is not None:
        config["mode"] = mode.name
    return {"ops": {"staged_predictions": {"ops": {"open_batch_and_fan_out": {"config": config}}}}}
