"""The moment of a run: no step of the run uses a fact that became known later."""

from datetime import datetime
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.clock import from_machine, read_as_of, read_moment, utc_now
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.nightly.open_batch import resumed_as_of
from nba_predictions.orchestration.partitions import game_date_of
from nba_predictions.orchestration.run_tags import (
    AS_OF_TAG,
    BEGUN_GAMES_TAG,
    FETCHED_TAG,
)

#: The value of BEGUN_GAMES_TAG with which a run predicts games that have begun.
PREDICT_BEGUN_GAMES = "predict"


def known_league(context: Any, league: LeagueSource, batches: BatchStore) -> LeagueSource:
    """Return the view of a source that a run has (see `run_as_of`)."""
    return league.known_at(run_as_of(context, league, batches))


def run_as_of(context: Any, league: LeagueSource, batches: BatchStore) -> datetime:
    """Return the moment of a run, in UTC. It is the same for all steps and step retries.

    It is the tag AS_OF_TAG of the run, or else the end of its fetch, or else its start. A run that
    completes a batch after the first tip-off has the moment of that batch (see `resumed_as_of`).

    Args:
        context: the context of an asset or a check of a game date.
        league: the source, for the tip-offs.
        batches: the batch store.

    Raises:
        SettingsError: the tag is not a moment, has no offset, or is in the future.
    """
    tag = given_as_of(context)
    if tag is not None:
        return tag
    record = context.instance.get_run_record_by_id(context.run.run_id)
    # The context has the tags that the run started with.
    fetched = record.dagster_run.tags.get(FETCHED_TAG)
    began = read_moment(fetched, FETCHED_TAG) if fetched else from_machine(record.start_time)
    game_date = game_date_of(context.partition_key)
    return resumed_as_of(game_date, began, league, batches) or began


def given_as_of(context: Any) -> datetime | None:
    """Return the moment that a run was launched with, None if it has its own.

    Raises:
        SettingsError: the tag is not a moment, has no offset, or is in the future.
    """
    tag = context.run.tags.get(AS_OF_TAG)
    if tag is None:
        return None
    return read_as_of(tag, utc_now(), f"the tag {AS_OF_TAG} of the run")


def predicts_begun_games(context: Any) -> bool:
    """Return whether a run also predicts games that have begun."""
    return context.run.tags.get(BEGUN_GAMES_TAG) == PREDICT_BEGUN_GAMES
