"""What a run of the fan-out can be told: whom to predict, into which batch, how divided."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from nba_predictions.domain.errors import BatchStateError
from nba_predictions.orchestration.run_tags import BACKFILL_TAG, MODE_TAG


class Mode(Enum):
    """What a run does with the batch of its date. The names are those of the launchpad."""

    predict = "open a batch, or take up an unfinished one, and predict who is not done"
    refresh = "bring the finished batch up to the inputs of now: predict who is affected"
    replay = "predict players again into the batch that is staged already"
    finish = "predict nobody: dead-letter who is not done, and go on with the others"


class FanOutConfig(dg.Config):
    """Whom to predict, and how they are divided."""

    chunk_size: int = Field(
        100, ge=1, le=500, description="Players per op, 1 to 500. An op costs about 100 ms."
    )
    mode: Mode | None = Field(
        None,
        description="What is done with the batch of the date; by default what the job is for. "
        + " ".join(f"{mode.name}: {mode.value}." for mode in Mode),
    )
    players: list[str] = Field(
        [],
        max_length=1000,
        description="Whom to replay, by player_lookup, as paulgeorge; by default who is not done.",
    )
    batch_id: str | None = Field(
        None,
        pattern=r"^batch_\d{4}-\d{2}-\d{2}_\d+$",
        description="Refuse to replay into another batch than this, as "
        "batch_2026-01-15_1768460400.",
    )
    refresh_past: bool = Field(
        False, description="Refresh also a date that is over, and look at no tip-off."
    )
    announce: bool | None = Field(
        None,
        description="Whether the readers of the date are told; by default they are, unless the run "
        "is one of a backfill.",
    )

    def mode_of(self, run_tags: Mapping[str, str]) -> Mode:
        """Return what is configured, else what the run's job is for.

        Raises:
            BatchStateError: what is configured belongs to another mode.
        """
        mode = self.mode or Mode[run_tags.get(MODE_TAG, Mode.predict.name)]
        if mode is not Mode.replay and (self.players or self.batch_id):
            raise BatchStateError(
                f"players or batch_id were named, but this run is to {mode.name}; use the job "
                f"replay_players, or set mode: replay"
            )
        if mode is not Mode.refresh and self.refresh_past:
            raise BatchStateError(
                f"refresh_past was set, but this run is to {mode.name}; use the job "
                f"refresh_predictions, or set mode: refresh"
            )
        return mode

    def announces(self, run_tags: Mapping[str, str]) -> bool:
        """Return whether the readers of the date are told."""
        return BACKFILL_TAG not in run_tags if self.announce is None else self.announce


class StageConfig(dg.Config):
    """How the players of a chunk are staged."""

    threads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Players in the air at once, per op, 1 to 64; by default what suits the "
        "warehouse.",
    )


def fan_out(mode: Mode | None = None, **config: Any) -> dict[str, Any]:
    """Return the run configuration of a job that stages, with whom it stages."""
    if mode is not None:
        config["mode"] = mode.name
    return {"ops": {"staged_predictions": {"ops": {"open_batch_and_fan_out": {"config": config}}}}}
