"""What a run that repeats a run that was cut off works on."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.nightly.open_batch import BatchTerms
from nba_predictions.nightly.start import Mode, StartRequest, Work, start
from nba_predictions_tests.examples import slate_of, slate_player
from nba_predictions_tests.nightly.conftest import SLATE, Night


def retried(night: Night, runs: Collection[str], slate: Slate = SLATE) -> Work:
    request = StartRequest(Mode.predict, BatchTerms("test"), retried_runs=runs)
    return start(request, slate, dict, night.store, night.warehouse, run_id="retry")


@pytest.mark.parametrize("step", ["cleaned", "published"])
def test_a_retry_creates_no_second_batch_when_its_run_had_finished(night: Night, step: str) -> None:
    batch = getattr(night, step)()
    work = retried(night, {"run_1"})
    assert work.batch.batch_id == batch.batch_id
    assert work.players == []
    assert {c.player_lookup for c in work.already_staged} == {
        player.player_lookup for player in SLATE.players
    }


def test_a_retry_resumes_the_unfinished_batch_of_its_run(night: Night) -> None:
    batch = night.open()
    work = retried(night, {"run_1"})
    assert work.batch.batch_id == batch.batch_id
    assert len(work.players) == len(SLATE.players)


def test_a_batch_that_another_run_finished_is_not_the_work_of_a_retry(night: Night) -> None:
    batch = night.published()
    assert retried(night, {"run_0"}).batch.batch_id != batch.batch_id
    assert len(night.store.of_date(SLATE.game_date)) == 2


def test_a_new_slate_is_predicted_again(night: Night) -> None:
    batch = night.published()
    work = retried(night, {"run_1"}, slate_of([slate_player("lukadoncic", "30.5")]))
    assert work.batch.batch_id != batch.batch_id
