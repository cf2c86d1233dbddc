"""A run uses only what was known at its moment, and leaves games that have begun alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import WarehouseLockedError
from nba_predictions.inputs.files import FilesSource
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.run_tags import AS_OF_TAG, BEGUN_GAMES_TAG, FETCHED_TAG
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import FramesLeague, Pipeline, errors, facts
from nba_predictions_tests.leagues import small_league, write_files

#: Noon US Eastern, before all tip-offs.
NOON = datetime(2025, 10, 28, 16, tzinfo=timezone.utc)
LATER = NOON + timedelta(hours=2)
FIRST_TIPOFF = NOON + timedelta(hours=7)
BETWEEN = FIRST_TIPOFF + timedelta(hours=1)
EVENING = FIRST_TIPOFF + timedelta(hours=4)


def tags(as_of: datetime, **more: str) -> dict[str, str]:
    return {AS_OF_TAG: as_of.isoformat(), **more}


def night(pipeline: Pipeline, run_tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run the nightly job, publish, and return the table without its bookkeeping."""
    result = pipeline.run("nightly_predictions", GAME_DATE.isoformat(), run_tags)
    assert result.success, errors(result)
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    return facts(pipeline.table())


# --- a night can be reproduced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "input"
    write_files(small_league(), folder, ["2025-26"], logs_before=GAME_DATE, dates={GAME_DATE})
    return folder


def add_later_facts(folder: Path, at: datetime) -> None:
    """Add corrected box scores, an injury report and moved lines that were observed at `at`."""
    observed = pl.lit(at).alias("observed_at")
    logs = pl.read_parquet(folder / "player_game_logs_2025-26.parquet")
    last = logs.filter(pl.col("GAME_DATE") == logs["GAME_DATE"].max())
    more = [(pl.col(c) + n).alias(c) for c, n in (("FTM", 6), ("FTA", 6), ("PTS", 6))]
    last.with_columns(*more, observed).write_parquet(folder / "player_game_logs_corrected.parquet")
    lines = pl.read_parquet(folder / "points_lines_2025-26.parquet")
    moved = lines.with_columns((pl.col("line") + 2).alias("line"), observed)
    moved.write_parquet(folder / "points_lines_later.parquet")
    out = lines["player"].unique().sort().head(3)
    report = pl.DataFrame({"player": out}).with_columns(
        game_date=pl.lit(GAME_DATE), status=pl.lit("Out"), reason=pl.lit("Illness")
    )
    report.with_columns(observed).write_parquet(folder / "injuries_later.parquet")


def test_a_night_is_reproduced_after_corrections_and_later_reports(
    folder: Path, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    # The later box scores change the models, which other tests share.
    models = tmp_path / "models"
    first = make_pipeline(league=FilesSource(folder), models_in=models)
    before = night(first, tags(NOON))
    batch = first.batch()
    assert batch.as_of == NOON
    assert all(row["player_id"] is not None for row in before)

    add_later_facts(folder, LATER)
    # A year later, another process reads the folder.
    later = first.with_league(FilesSource(folder))
    players = sorted({row["player_lookup"] for row in before})
    replayed = later.run("replay_players", GAME_DATE.isoformat(), config=fan_out(players=players))
    assert replayed.success, errors(replayed)
    assert facts(later.table()) == before
    assert later.batch().as_of == NOON
    assert night(later, tags(batch.as_of)) == before
    # A home without anything stored gives the same night.
    new = make_pipeline("new", league=FilesSource(folder), models_in=models)
    assert night(new, tags(batch.as_of)) == before

    # The later facts exist for a run of a later moment, so the comparison can fail.
    after = night(later, tags(LATER))
    assert after != before
    assert {row["player_lookup"] for row in after} < {row["player_lookup"] for row in before}


# --- games that have begun


@pytest.fixture
def tonight(league: FramesLeague) -> FramesLeague:
    """Return the league with tip-offs three hours apart."""
    tipoffs = [FIRST_TIPOFF, FIRST_TIPOFF + timedelta(hours=3)]
    column = pl.Series("tipoff", tipoffs, dtype=league.games.schema["tipoff"])
    return replace(league, games=league.games.with_columns(column))


def of_game(rows: list[dict[str, Any]], game_id: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["game_id"] == game_id]


def with_moved_lines(league: FramesLeague) -> FramesLeague:
    line = (pl.col("line") + 1).cast(league.lines.schema["line"])
    return replace(league, lines=league.lines.with_columns(line))


def test_a_run_after_a_tip_off_keeps_the_rows_of_the_game_and_updates_the_other(
    make_pipeline: MakePipeline, tonight: FramesLeague
) -> None:
    begun, still_open = tonight.games["game_id"].to_list()
    pipeline = make_pipeline(league=tonight)
    before = night(pipeline, tags(NOON))
    stored = pipeline.table().filter(pl.col("game_id") == begun)
    moved = pipeline.with_league(with_moved_lines(tonight))
    after = night(moved, tags(BETWEEN))
    # Also the bookkeeping of the begun game is as it was.
    assert moved.table().filter(pl.col("game_id") == begun).equals(stored)
    assert of_game(after, still_open) != of_game(before, still_open)
    # The sensor pauses between two messages of a batch.
    assert moved.run("publish_phase5_completion", GAME_DATE.isoformat()).success
    assert moved.audit().verdict is Verdict.COMPLETE
    assert night(moved, tags(EVENING)) == after
    assert len(moved.messages()) == 2


def test_a_first_run_after_a_tip_off_says_which_game_it_leaves_alone(
    make_pipeline: MakePipeline, tonight: FramesLeague
) -> None:
    begun, still_open = tonight.games["game_id"].to_list()
    pipeline = make_pipeline(league=tonight)
    rows = night(pipeline, tags(BETWEEN))
    assert {row["game_id"] for row in rows} == {still_open}
    (sent,) = pipeline.messages()
    assert sent.message.metadata.begun_games == (begun,)
    # Asked for explicitly, the game is predicted as well.
    everything = night(pipeline, tags(BETWEEN, **{BEGUN_GAMES_TAG: "predict"}))
    assert {row["game_id"] for row in everything} == {begun, still_open}
    assert pipeline.messages()[-1].message.metadata.begun_games == ()


def test_a_date_whose_games_have_all_begun_is_published_as_no_data_with_the_games(
    make_pipeline: MakePipeline, tonight: FramesLeague
) -> None:
    pipeline = make_pipeline(league=tonight)
    assert night(pipeline, tags(EVENING)) == []
    (sent,) = pipeline.messages()
    assert sent.message.status.value == "no_data"
    assert sorted(sent.message.metadata.begun_games) == sorted(tonight.games["game_id"])


def test_a_run_that_was_cut_off_before_the_tip_off_is_completed_after_it(
    make_pipeline: MakePipeline, tonight: FramesLeague
) -> None:
    whole = night(make_pipeline("whole", league=tonight), tags(NOON))
    pipeline = make_pipeline(league=tonight)

    def locked(*_: Any, **__: Any) -> Any:
        raise WarehouseLockedError("warehouse.duckdb", "another process")

    with pipeline.warehouse.broken("merge", locked):
        cut_off = pipeline.run("nightly_predictions", GAME_DATE.isoformat(), tags(NOON))
        assert not cut_off.success
    batch = pipeline.batch()
    assert batch.state is BatchState.STAGED
    # This run starts long after the tip-offs.
    assert night(pipeline, {}) == whole
    assert (pipeline.batch().batch_id, pipeline.batch().as_of) == (batch.batch_id, NOON)


def test_a_run_without_a_tag_has_the_moment_at_which_its_inputs_are_fetched(
    make_pipeline: MakePipeline, tonight: FramesLeague
) -> None:
    pipeline = make_pipeline(league=tonight)
    result = pipeline.predict()
    record = pipeline.instance.get_run_record_by_id(result.run_id)
    assert record is not None
    assert record.start_time is not None
    started = datetime.fromtimestamp(record.start_time, timezone.utc)
    moment = pipeline.batch().as_of
    assert moment is not None
    assert record.dagster_run.tags[FETCHED_TAG] == moment.isoformat()
    assert started <= moment < started + timedelta(minutes=5)
    # The date is past, so all games are predicted.
    assert set(pipeline.table()["game_id"]) == set(tonight.games["game_id"])


@pytest.mark.parametrize(
    ("moment", "problem"),
    [
        ("2025-10-28T12:00:00", "has no offset"),
        ("2999-01-01T00:00:00Z", "is in the future"),
        ("noon", "is not a moment"),
    ],
)
def test_a_wrong_moment_is_refused_before_anything_is_read(
    moment: str,
    problem: str,
    make_pipeline: MakePipeline,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_pipeline().run("nightly_predictions", GAME_DATE.isoformat(), {AS_OF_TAG: moment})
    assert not run.success
    assert any(problem in error for error in errors(run))
    assert cli.main(["run", "--game-date", str(GAME_DATE), "--as-of", moment]) == 2
    assert f"--as-of is '{moment}', which {problem}" in capsys.readouterr().err


def test_the_command_runs_as_of_a_moment_and_repairs_with_the_moment_of_the_batch(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(folder))
    date_option = ["--game-date", str(GAME_DATE)]
    assert cli.main(["run", *date_option, "--as-of", "2025-10-28T12:00:00-04:00"]) == 0
    assert f"as of  {NOON.isoformat(timespec='milliseconds')}" in capsys.readouterr().out
    pipeline = Pipeline.build(home, FilesSource(folder))
    before = facts(pipeline.table())

    add_later_facts(folder, LATER)
    # The stored slate is lost, and rows are missing: the night is run again.
    (home / "assets" / "slate" / f"{GAME_DATE}.json").unlink()
    with pipeline.resources["warehouse"]._connect() as connection:
        connection.execute("DELETE FROM player_prop_predictions WHERE system_id = 'ensemble'")
    assert cli.main(["repair", "--yes", *date_option]) == 0
    capsys.readouterr()
    assert facts(pipeline.table()) == before
    assert cli.main(["audit", "--json", *date_option]) == 0
    assert json.loads(capsys.readouterr().out)["as_of"] == NOON.isoformat()
