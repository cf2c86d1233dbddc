"""Games that have begun are left alone by every run: their rows are neither changed nor removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import polars as pl
import pytest

from nba_predictions.domain.batches.batch import Batch, BatchState, BatchStatus
from nba_predictions.domain.betting.slate import Game, Slate, slate_as_of
from nba_predictions.domain.errors import PermanentPredictionError
from nba_predictions.inputs.port import SCHEDULE, LeagueSource
from nba_predictions.nightly.open_batch import BatchTerms, resumed_as_of
from nba_predictions.nightly.predicting import input_fingerprints
from nba_predictions.nightly.start import Mode, StartRequest, start
from nba_predictions_tests.examples import GAME_DATE, NOON, SECOND, Skip, game, slate_player
from nba_predictions_tests.nightly.conftest import Night, predictor

FIRST = replace(game("BOS", "LAL"), tipoff=NOON)
SECOND_GAME = replace(game(), tipoff=NOON + timedelta(hours=2))
MORNING = NOON - timedelta(hours=3)
BETWEEN = NOON + timedelta(hours=1)
EVENING = NOON + timedelta(hours=3)


def slate_at(as_of: datetime, line: str = "31.5") -> Slate:
    """Return the slate of two games with two players and one who is out each."""

    def build(games: Sequence[Game]) -> Slate:
        of_first: dict[str, Any] = {"game_id": FIRST.game_id, "team": "BOS", "opponent": "LAL"}
        players = (
            slate_player("jaylenbrown", line, **of_first),
            slate_player("jaysontatum", "27.5", **of_first),
            slate_player("lukadoncic", line),
            slate_player("paulgeorge", "22.5"),
        )
        out = {FIRST: Skip("derrickwhite", "injury_report: OUT")}
        out[SECOND_GAME] = Skip("joelembiid", "injury_report: OUT")
        ids = {g.game_id for g in games}
        return Slate(
            GAME_DATE,
            tuple(games),
            tuple(p for p in players if p.game_id in ids),
            tuple(out[g] for g in games),
        )

    return slate_as_of(build, (FIRST, SECOND_GAME), as_of)


def prints(slate: Slate) -> dict[str, str]:
    names = [p.player_lookup for p in slate.players]
    return input_fingerprints(slate.players, pl.DataFrame({"player_lookup": names}), "models", NOON)


def run(night: Night, slate: Slate, *, mean: float = 21.37, mode: Mode = Mode.predict) -> Batch:
    """Run a night up to the cleanup, as the nightly job does."""
    request = StartRequest(mode, BatchTerms("test"), refresh_past=mode is Mode.refresh)
    work = start(
        request, slate, lambda: prints(slate), night.store, night.warehouse, run_id="run_2"
    )
    night.stage(
        work.batch,
        work.players,
        predictor(work.batch, mean),
        replay=work.replaces,
        fingerprints=prints(slate),
        threads=1,
    )
    if night.state(work.batch) is BatchState.STAGING:
        night.close(work.batch)
    night.merge_batch(work.batch)
    night.clean(work.batch)
    return night.store.get(work.batch.batch_id)


def rows(night: Night, game_id: str = FIRST.game_id) -> list[str]:
    return sorted(str(row) for row in night.rows() if row["game_id"] == game_id)


def message(night: Night, batch: Batch) -> Any:
    night.publish(batch)
    return night.publisher.read()[-1].message


def test_a_batch_of_a_date_with_a_game_that_has_begun_predicts_the_others(night: Night) -> None:
    batch = run(night, slate_at(BETWEEN))
    assert (batch.as_of, batch.begun, batch.games) == (BETWEEN, (FIRST.game_id,), 1)
    assert {row["player_lookup"] for row in night.rows()} == {"lukadoncic", "paulgeorge"}
    sent = message(night, batch)
    assert (sent.status, sent.metadata.begun_games) == (BatchStatus.SUCCESS, (FIRST.game_id,))
    assert sent.metadata.expected_players == 3
    assert night.verdict().complete
    assert night.verdict().to_json()["begun_games"] == [FIRST.game_id]
    assert night.verdict().to_json()["as_of"] == BETWEEN.isoformat()


def test_a_date_whose_games_have_all_begun_is_no_success(night: Night) -> None:
    batch = run(night, slate_at(EVENING))
    assert (batch.games, len(batch.begun), night.rows()) == (0, 2, [])
    sent = message(night, batch)
    assert (sent.status, sent.record_count) == (BatchStatus.NO_DATA, 0)
    assert sent.metadata.begun_games == tuple(sorted((FIRST.game_id, SECOND_GAME.game_id)))


def test_a_batch_of_a_whole_date_has_no_begun_games(night: Night) -> None:
    batch = run(night, slate_at(MORNING))
    assert (batch.begun, batch.games) == ((), 2)
    assert message(night, batch).metadata.begun_games == ()


@pytest.mark.parametrize("as_of", [BETWEEN, EVENING])
@pytest.mark.parametrize("line", ["31.5", "29.5"], ids=["same line", "moved line"])
def test_a_run_after_a_tip_off_updates_the_finished_batch(
    night: Night, as_of: datetime, line: str
) -> None:
    morning = run(night, slate_at(MORNING))
    before = {g.game_id: rows(night, g.game_id) for g in (FIRST, SECOND_GAME)}
    batch = run(night, slate_at(as_of, line), mean=30.0)
    assert batch.batch_id == morning.batch_id
    assert rows(night) == before[FIRST.game_id]
    moved = as_of is BETWEEN and line == "29.5"
    assert (rows(night, SECOND_GAME.game_id) != before[SECOND_GAME.game_id]) is moved
    # The batch has all games, and knows what it used.
    assert (batch.begun, batch.games, batch.expected_players) == ((), 2, 6)
    assert batch.as_of == (as_of if moved else MORNING)
    assert message(night, batch).metadata.completed_players == 4


def test_a_refresh_keeps_the_begun_games_of_the_batch_and_adds_a_game_that_was_delayed(
    night: Night,
) -> None:
    batch = run(night, slate_at(BETWEEN))
    assert run(night, slate_at(EVENING), mode=Mode.refresh).begun == (FIRST.game_id,)
    # The tip-off of the first game has moved, so the game has not begun.
    delayed = replace(slate_at(MORNING), as_of=BETWEEN)
    after = run(night, delayed, mode=Mode.refresh)
    assert (after.batch_id, after.begun, after.games) == (batch.batch_id, (), 2)
    assert len(rows(night)) == 2 * 25


def test_a_new_batch_keeps_the_rows_that_an_earlier_batch_has_of_a_begun_game(night: Night) -> None:
    run(night, slate_at(MORNING))
    before = rows(night)
    # A second run of the date was cut off before its merge, and cannot be resumed.
    night.open(slate_at(MORNING + SECOND, "30.5"), run_id="run_3")
    batch = run(night, slate_at(BETWEEN, "29.5"), mean=30.0)
    assert batch.begun == (FIRST.game_id,)
    assert rows(night) == before
    assert {row["batch_id"] for row in night.rows() if row["game_id"] != FIRST.game_id} == {
        batch.batch_id
    }
    assert night.verdict().evidence.target.duplicate_keys == 0


def test_players_of_begun_games_are_not_replayed_from_a_later_slate(night: Night) -> None:
    run(night, slate_at(MORNING))
    run(night, slate_at(BETWEEN))
    request = StartRequest(Mode.replay, BatchTerms("test"), players=["jaysontatum"])
    with pytest.raises(PermanentPredictionError, match="jaysontatum is in a game that has begun"):
        start(request, slate_at(BETWEEN), dict, night.store, night.warehouse, run_id="replay")


# --- the moment of a run that completes a batch


def league() -> LeagueSource:
    games = pl.DataFrame(
        [
            {
                "game_date": g.game_date,
                "game_id": g.game_id,
                "away_team": g.away_team,
                "home_team": g.home_team,
                "tipoff": g.tipoff,
            }
            for g in (FIRST, SECOND_GAME)
        ],
        schema=SCHEDULE,
    )

    class Games:
        def known_at(self, as_of: datetime) -> Games:
            return self

        def schedule(self, game_date: object) -> pl.DataFrame:
            return games

    return cast(LeagueSource, Games())


def test_a_run_resumes_a_batch_after_a_tip_off_with_the_moment_of_the_batch(night: Night) -> None:
    batch = night.open(slate_at(MORNING))
    found = resumed_as_of(GAME_DATE, BETWEEN, league(), night.store)
    assert found == MORNING
    resumed = run(night, slate_at(found))
    assert (resumed.batch_id, resumed.as_of, resumed.begun) == (batch.batch_id, MORNING, ())
    assert len(night.rows()) == 4 * 25


@pytest.mark.parametrize(
    "prepare",
    [
        lambda night: None,
        # No game has begun since the moment of the batch.
        lambda night: night.open(slate_at(BETWEEN - SECOND)),
        # An earlier version created the batch.
        lambda night: night.open(replace(slate_at(MORNING), as_of=None)),
        # The batch is finished.
        lambda night: run(night, slate_at(MORNING)),
    ],
)
def test_any_other_run_has_its_own_moment(night: Night, prepare: Callable[[Night], object]) -> None:
    prepare(night)
    assert resumed_as_of(GAME_DATE, BETWEEN, league(), night.store) is None


def test_a_run_has_its_own_moment_if_it_would_overwrite_rows_of_another_batch(night: Night) -> None:
    run(night, slate_at(MORNING))
    night.open(slate_at(MORNING + SECOND, "30.5"))
    assert resumed_as_of(GAME_DATE, BETWEEN, league(), night.store) is None


def test_a_resumed_batch_gets_the_moment_of_its_last_inputs(night: Night) -> None:
    batch = night.open(slate_at(MORNING))
    night.open(slate_at(MORNING + SECOND))
    assert night.store.get(batch.batch_id).as_of == MORNING + SECOND


def test_a_batch_milestone_has_the_moment_and_the_begun_games(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    night.open(slate_at(BETWEEN))
    (created,) = [line for line in milestones() if line["event"] == "batch_created"]
    assert created["as_of"] == str(BETWEEN)
    assert created["begun_games"] == [FIRST.game_id]
    assert f"1 game that had begun is left alone: {FIRST.game_id}" in created["message"]
