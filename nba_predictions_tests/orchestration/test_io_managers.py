"""What an asset hands over is what the next one gets, in another run too."""

from collections.abc import Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nba_predictions.domain.betting.slate import Game, PlayerMarket, Skip, Slate, SlatePlayer
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, SCHEDULE
from nba_predictions.orchestration.io_managers import io_managers
from nba_predictions_tests.e2e.pipeline import GAME_DATE, QUIET

NIGHT = date(2026, 1, 1)
days = dg.DailyPartitionsDefinition("2026-01-01")
GAME = "20260101_PHI_DAL"


def handed_over(folder: Path, key: str, value: Any, kind: Any) -> Any:
    """Give a value to one asset in one run; return what another gets in a second run.

    Dagster reads the annotations of the assets below, so this module must not postpone them.
    """
    received = []

    @dg.asset(partitions_def=days, io_manager_key=key)
    def given() -> kind:
        return value

    @dg.asset(partitions_def=days)
    def taken(given: kind) -> None:
        received.append(given)

    instance = dg.DagsterInstance.ephemeral()

    def run(*assets: Any, selection: Sequence[Any]) -> None:
        dg.materialize(
            assets,
            selection=selection,
            partition_key=NIGHT.isoformat(),
            instance=instance,
            resources=io_managers(folder),
            run_config=QUIET,
        )

    run(given, taken, selection=[given])
    run(given, taken, selection=[taken])
    (value,) = received
    return value


def slate_player(lookup: str, line: Decimal | None, **other: Any) -> SlatePlayer:
    market = PlayerMarket("points", line, "none" if line is None else "dfs", 2 * bool(line))
    values: dict[str, Any] = {
        "game_date": NIGHT,
        "game_id": GAME,
        "player_lookup": lookup,
        "player_name": lookup.title(),
        "team": "PHI",
        "opponent": "DAL",
        "is_home": False,
        "markets": (market,),
    }
    return SlatePlayer(**{**values, **other})


def test_a_slate_comes_back_whole_with_decimals_and_nones(tmp_path: Path) -> None:
    slate = Slate(
        game_date=NIGHT,
        games=(Game(GAME, NIGHT, "PHI", "DAL"),),
        players=(
            slate_player("joelembiid", Decimal("27.5")),
            slate_player("kylelowry", None),
            slate_player("lukadoncic", Decimal("30.0"), team=None, opponent=None, is_home=None),
        ),
        skips=(Skip("paulgeorge", "injury_report: OUT"),),
        quotes_off_slate=3,
    )
    back = handed_over(tmp_path, "values", slate, Slate)
    assert back == slate
    assert isinstance(back.players[0].market("points").base_line, Decimal)
    assert str(back.players[2].market("points").base_line) == "30.0"
    assert back.players[2].is_home is None
    assert back.players[0].is_home is False
    assert back.fingerprint() == slate.fingerprint()


def test_an_empty_slate_comes_back_empty(tmp_path: Path) -> None:
    slate = Slate(NIGHT, (), (), ())
    assert handed_over(tmp_path, "values", slate, Slate) == slate


def test_text_comes_back(tmp_path: Path) -> None:
    assert handed_over(tmp_path, "values", "2026-01-01-a1b2c3", str) == "2026-01-01-a1b2c3"


@pytest.mark.parametrize("schema", [GAME_LOGS, SCHEDULE, PROP_LINES, INJURIES])
def test_an_empty_frame_keeps_its_columns_and_types(tmp_path: Path, schema: Any) -> None:
    frame = pl.DataFrame(schema=schema)
    assert handed_over(tmp_path, "frames", frame, pl.DataFrame).schema == frame.schema


def test_a_frame_comes_back_with_exact_decimals_nulls_and_zones(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "game_date": [NIGHT, None],
            "line": [Decimal("15.5"), None],
            "tipoff": [datetime(2026, 1, 2, 0, 30, tzinfo=timezone.utc), None],
            "points": [0, None],
            "name": ["Luka Dončić", None],
        },
        schema={
            "game_date": pl.Date,
            "line": pl.Decimal(5, 1),
            "tipoff": pl.Datetime("us", "UTC"),
            "points": pl.Int64,
            "name": pl.String,
        },
    )
    assert_frame_equal(handed_over(tmp_path, "frames", frame, pl.DataFrame), frame)


def test_each_partition_has_a_file_of_its_own(tmp_path: Path) -> None:
    handed_over(tmp_path, "values", "here", str)
    files = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert files == [f"given/{NIGHT}.json"]
    assert NIGHT != GAME_DATE
