"""A night of real data: 2025-01-10 with seven games and lines of two books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain.league.games import start_of_eastern_day
from nba_predictions.inputs.files import FilesSource
from nba_predictions.settings import Settings
from nba_predictions_tests.e2e.pipeline import QUIET, SYSTEMS

pytestmark = pytest.mark.real_data
NIGHT = date(2025, 1, 10)
GAMES = {
    *("20250110_GSW_IND", "20250110_WAS_CHI", "20250110_MIL_ORL", "20250110_NOP_PHI"),
    *("20250110_OKC_NYK", "20250110_SAC_BOS", "20250110_BKN_DEN"),
}


@dataclass(frozen=True)
class RealNight:
    home: Path
    predicted: bool
    graded: bool

    def sql(self, query: str) -> list[tuple[object, ...]]:
        path = str(self.home / "warehouse.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            return connection.sql(query).fetchall()

    def one(self, query: str) -> object:
        ((value,),) = self.sql(query)
        return value


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, real_data_dir: Path) -> RealNight:
    home = tmp_path_factory.mktemp("real")
    settings = Settings(source="files", data=real_data_dir, home=home)
    definitions = build_definitions(build_resources(settings))
    instance = dg.DagsterInstance.ephemeral()

    def run(job: str) -> bool:
        return (
            definitions.resolve_job_def(job)
            .execute_in_process(
                partition_key=NIGHT.isoformat(),
                instance=instance,
                run_config=QUIET,
                raise_on_error=False,
            )
            .success
        )

    return RealNight(home, run("nightly_predictions"), run("grade_predictions"))


def test_the_night_succeeds_with_5_rows_per_system_and_line_and_1_per_other_player(
    night: RealNight,
) -> None:
    assert night.predicted
    players = (
        "SELECT COUNT(DISTINCT player_lookup) FROM player_prop_predictions WHERE base_line IS "
    )
    with_line, without = night.one(players + "NOT NULL"), night.one(players + "NULL")
    assert isinstance(with_line, int)
    assert isinstance(without, int)
    assert 90 <= with_line <= 92
    assert without > 0
    rows = night.one("SELECT COUNT(*) FROM player_prop_predictions")
    assert rows == len(SYSTEMS) * (5 * with_line + without)


def test_all_games_of_the_night_are_predicted(night: RealNight) -> None:
    games = {game for (game,) in night.sql("SELECT DISTINCT game_id FROM player_prop_predictions")}
    assert len(games) == 7
    assert games == GAMES


def test_no_business_key_is_duplicated(night: RealNight) -> None:
    assert not night.sql(
        "SELECT 1 FROM player_prop_predictions GROUP BY game_date, game_id, player_lookup, "
        "system_id, points_line HAVING COUNT(*) > 1"
    )


def test_no_input_is_newer_than_midnight_before_the_games(night: RealNight) -> None:
    newest = night.one("SELECT MAX(features_as_of) FROM player_prop_predictions")
    assert isinstance(newest, datetime)
    assert newest <= start_of_eastern_day(NIGHT)
    assert newest > datetime(2025, 1, 8, tzinfo=timezone.utc)


def test_no_system_expects_to_beat_the_books_at_the_base_line(night: RealNight) -> None:
    """At the base line, probabilities are near 50%, and few bets are worth their price."""
    found = night.sql(
        "SELECT system_id, AVG(over_probability), MIN(over_probability), MAX(over_probability), "
        "AVG(CAST(recommendation IN ('OVER', 'UNDER') AS DOUBLE)) "
        "FROM player_prop_predictions WHERE points_line = base_line "
        "AND push_probability = 0 GROUP BY system_id"
    )
    assert len(found) == len(SYSTEMS)
    for system, mean, least, most, bets in found:
        assert 0.45 < float(str(mean)) < 0.52, system
        assert float(str(least)) > 0.35, system
        assert float(str(most)) < 0.62, system
        assert float(str(bets)) < 0.1, system


def test_the_blend_is_near_the_line_and_the_other_systems_are_independent(
    night: RealNight,
) -> None:
    found = night.sql(
        "SELECT system_id, AVG(ABS(CAST(predicted_points - base_line AS DOUBLE))) "
        "FROM player_prop_predictions WHERE points_line = base_line GROUP BY system_id"
    )
    distance = {str(system): float(str(mean)) for system, mean in found}
    assert distance.pop("market_blend") < 0.6
    assert all(1.0 < other < 4.0 for other in distance.values()), distance


def test_over_probabilities_do_not_increase_with_the_line(night: RealNight) -> None:
    assert not night.sql(
        "SELECT 1 FROM player_prop_predictions low JOIN player_prop_predictions high "
        "USING (player_lookup, system_id) "
        "WHERE low.points_line < high.points_line AND low.over_probability < high.over_probability"
    )


def test_every_prediction_is_graded_and_void_only_for_players_who_did_not_play(
    night: RealNight, real_data_dir: Path
) -> None:
    assert night.graded
    predictions = night.one("SELECT COUNT(*) FROM player_prop_predictions")
    counted = night.sql("SELECT outcome, COUNT(*) FROM prediction_results GROUP BY outcome")
    outcomes = {str(outcome): int(str(count)) for outcome, count in counted}
    assert sum(outcomes.values()) == predictions
    assert (
        {"OVER", "UNDER", "VOID", "NO_LINE"}
        <= set(outcomes)
        <= {*("OVER", "UNDER", "VOID", "NO_LINE", "PUSH")}
    )

    played = set(FilesSource(real_data_dir).box_scores(NIGHT)["player_lookup"])
    void = {
        player
        for (player,) in night.sql(
            "SELECT DISTINCT player_lookup FROM prediction_results WHERE outcome = 'VOID'"
        )
    }
    others = {
        player
        for (player,) in night.sql(
            "SELECT DISTINCT player_lookup FROM prediction_results WHERE outcome <> 'VOID'"
        )
    }
    assert void
    assert void & played == set()
    assert others <= played


def test_graded_points_equal_the_box_scores(night: RealNight, real_data_dir: Path) -> None:
    box = FilesSource(real_data_dir).box_scores(NIGHT)
    scored = dict(box.select("player_lookup", pl.col("points")).iter_rows())
    for player, points in night.sql(
        "SELECT DISTINCT player_lookup, actual_points FROM prediction_results "
        "WHERE outcome <> 'VOID'"
    ):
        assert scored[player] == points
