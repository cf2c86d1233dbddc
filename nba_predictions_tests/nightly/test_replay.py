"""Replay players into a staged batch, and dead-letter players who were never staged."""

import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.errors import BatchStateError, PermanentPredictionError
from nba_predictions.nightly.replay import (
    STALLED,
    batch_to_replay,
    dead_letter_unfinished_players,
    players_to_replay,
)
from nba_predictions_tests.examples import slate_of, slate_player
from nba_predictions_tests.nightly.conftest import SLATE, Night, failing

S = BatchState


def names(players: list[SlatePlayer]) -> list[str]:
    return [p.player_lookup for p in players]


def test_a_closed_batch_is_reopened_so_that_the_sensors_see_the_replay(night: Night) -> None:
    batch = night.cleaned(announce=False)
    assert night.state(batch) is S.CLOSED
    assert batch_to_replay(night.store, SLATE).state is S.CLEANED
    assert night.state(batch) is S.CLEANED
    night.stage(batch, SLATE.players[:1], replay=True)
    night.merge_batch(batch)
    night.clean(batch)
    assert night.state(batch) is S.CLOSED
    assert night.verdict().verdict is Verdict.COMPLETE


@pytest.mark.parametrize("state", [S.STAGED, S.CLEANED, S.PUBLISHED])
def test_a_batch_whose_staging_is_closed_can_be_replayed(night: Night, state: BatchState) -> None:
    batch = getattr(night, state.value)()
    assert batch_to_replay(night.store, SLATE).batch_id == batch.batch_id
    assert batch_to_replay(night.store, SLATE, batch.batch_id).batch_id == batch.batch_id


def test_a_batch_that_is_being_staged_is_not_replayed(night: Night) -> None:
    night.open()
    with pytest.raises(BatchStateError, match=r"is staging, .* run the night of 2026-01-01 again"):
        batch_to_replay(night.store, SLATE)


def test_a_batch_with_a_newer_successor_is_not_replayed(night: Night) -> None:
    first = night.published()
    second = night.published(run_id="run_2")
    with pytest.raises(BatchStateError, match=f"{second.batch_id} is; replay that one"):
        batch_to_replay(night.store, SLATE, first.batch_id)


def test_a_batch_of_a_changed_slate_is_not_replayed(night: Night) -> None:
    night.published()
    moved = slate_of([slate_player("lukadoncic", "30.5")])
    with pytest.raises(BatchStateError, match=r"has changed since .* creates a new batch"):
        batch_to_replay(night.store, moved)


def test_without_names_all_outstanding_players_are_replayed(night: Night) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge"))
    night.close(batch)
    assert names(players_to_replay(batch, SLATE, night.store)) == ["paulgeorge"]
    night.stage(batch, [SLATE.players[1]], replay=True)
    assert players_to_replay(batch, SLATE, night.store) == []


def test_named_players_are_replayed_once_each_and_unknown_names_are_reported(night: Night) -> None:
    batch = night.staged()
    twice = ["zachcollins", "lukadoncic", "zachcollins"]
    assert names(players_to_replay(batch, SLATE, night.store, twice)) == twice[:2]
    with pytest.raises(PermanentPredictionError, match="Luka Doncic, joelembiid is not among"):
        players_to_replay(batch, SLATE, night.store, ["lukadoncic", "Luka Doncic", "joelembiid"])


def test_unfinished_players_are_dead_lettered_and_the_batch_is_published_without_them(
    night: Night,
) -> None:
    batch = night.open(threshold=0.7)
    night.stage(batch, SLATE.players[:2])
    assert dead_letter_unfinished_players(batch, SLATE, night.store, run_id="sensor") == 1
    assert dead_letter_unfinished_players(batch, SLATE, night.store, run_id="sensor") == 0
    (letter,) = night.store.dead_letters(batch.batch_id)
    assert (letter.player_lookup, letter.error_class) == ("zachcollins", STALLED)
    assert night.close(batch).failed == 1
    night.merge_batch(batch)
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.PARTIAL


def test_an_existing_dead_letter_is_not_replaced(night: Night) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:2], failing(batch, "paulgeorge"))
    assert dead_letter_unfinished_players(batch, SLATE, night.store, run_id="sensor") == 1
    classes = {d.player_lookup: d.error_class for d in night.store.dead_letters(batch.batch_id)}
    assert classes == {"paulgeorge": "RuntimeError", "zachcollins": STALLED}
