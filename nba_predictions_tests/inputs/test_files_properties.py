"""The file source with arbitrary cells and bytes, with changed future results, and on real data."""

import gzip
import re
import tempfile
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, SCHEDULE
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.inputs.test_files import line_row, log_row

DAY = date(2025, 1, 10)
KINDS = ("player_game_logs", "points_lines", "schedule", "injuries")

_cells = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789.-+eE:T Z/_@", max_size=20),
    st.sampled_from(
        [
            *("", " ", "nan", "NaN", "inf", "-inf", "null", "None", "0", "-0", "1e308", "1e-9"),
            *("99999999999999999999", "0x1F", "1_000", "12:60", "٣", "2025-02-29", "9999-12-31"),
            *("2025-01-11T24:00:00Z", "2025-01-11T00:00:00+99:99", "DAL @ ATL", "ATL @ DAL"),
            *('"', "'", ",", "\n", "\r\n", "\x00", "\ufeff", "OUT", "Over", "10000", "-0.5"),
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
)


def _tables() -> dict[str, list[dict[str, Any]]]:
    return {
        "player_game_logs": [
            log_row(),
            log_row(PLAYER_ID="2", PLAYER_NAME="Kyrie Irving"),
            log_row(GAME_DATE="2025-01-10"),
        ],
        "points_lines": [line_row(), line_row(side="Under"), line_row(player="Kyrie Irving")],
        "schedule": [
            {
                "game_date": "2025-01-10",
                "away_team": "DAL",
                "home_team": "ATL",
                "tipoff": "2025-01-11T00:10:00Z",
            },
            {"game_date": "2025-01-11", "away_team": "BOS", "home_team": "NYK", "tipoff": ""},
        ],
        "injuries": [
            {"game_date": "2025-01-10", "player": "A B", "status": "OUT", "reason": ""},
            {"game_date": "", "player": "C D", "status": "PROBABLE", "reason": "Knee"},
        ],
    }


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_arbitrary_cells_result_in_valid_frames_or_a_source_data_error(data: st.DataObject) -> None:
    tables = _tables()
    kind = data.draw(st.sampled_from(KINDS))
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(tables[kind]))
        column = data.draw(st.sampled_from(sorted(row)))
        row[column] = data.draw(_cells)
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in tables.items():
            pl.DataFrame(rows).write_csv(Path(folder) / f"{name}.csv")
        source = FilesSource(Path(folder))
        try:
            _check_frames(source)
        except SourceDataError as error:
            assert kind in str(error)
            assert "row " in str(error)
            assert "column" in str(error)


def _check_frames(source: FilesSource) -> None:
    logs, scores = source.game_logs(DAY), source.box_scores(DAY)
    games, lines, report = source.schedule(DAY), source.prop_lines(DAY), source.injuries(DAY)
    for frame, schema, nullable in (
        (logs, GAME_LOGS, ("observed_at",)),
        (scores, GAME_LOGS, ("observed_at",)),
        (games, SCHEDULE, ("tipoff", "observed_at")),
        (lines, PROP_LINES, ("price", "quoted_on", "quoted_at")),
        (report, INJURIES, ("team", "reason", "observed_at")),
    ):
        assert dict(frame.schema) == schema
        assert frame.drop(nullable).null_count().sum_horizontal().sum() == 0
    for frame in (scores, games, lines, report):
        assert (frame["game_date"] == DAY).all()
    assert (logs["game_date"] < DAY).all()
    assert (logs["minutes"] > 0).all()
    assert (logs["minutes"].is_finite()).all()
    assert (logs["points"] >= 0).all()
    assert ((lines["line"].cast(pl.Float64) * 2) % 1 == 0).all()
    assert (lines["price"].drop_nulls().abs() >= 100).all()


def _changed_rows(data: st.DataObject, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows after dropping, repeating, swapping or garbling some of their cells."""
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.sampled_from(sorted(rows[at])))
        change = data.draw(st.sampled_from(["repeat", "remove", "empty", "garble", "swap", "copy"]))
        if change == "repeat":
            rows.insert(data.draw(st.integers(0, len(rows))), dict(rows[at]))
        elif change == "remove" and len(rows) > 1:
            del rows[at]
        elif change == "empty":
            rows[at][column] = ""
        elif change == "garble":
            text = str(rows[at][column])
            where = data.draw(st.integers(0, len(text)))
            rows[at][column] = text[:where] + data.draw(_cells) + text[where + 1 :]
        elif change == "swap":
            other = data.draw(st.sampled_from(sorted(rows[at])))
            rows[at][column], rows[at][other] = rows[at][other], rows[at][column]
        else:
            other = data.draw(st.sampled_from(rows))
            rows[at][column] = other.get(column, "")
    return rows


def _changed_file(data: st.DataObject, content: bytes) -> bytes:
    """Return the content after cutting it or changing some bytes."""
    change = data.draw(st.sampled_from(["none", "none", "cut", "bytes", "insert"]))
    if change == "cut":
        return content[: data.draw(st.integers(0, len(content)))]
    for _ in range(0 if change == "none" else data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        new = data.draw(st.binary(min_size=1, max_size=3))
        content = content[:at] + new + content[at + (len(new) if change == "bytes" else 0) :]
    return content


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_folder_results_in_valid_frames_quarantined_rows_or_a_source_data_error(
    data: st.DataObject,
) -> None:
    tables = {kind: _changed_rows(data, rows) for kind, rows in _tables().items()}
    for rows in tables.values():
        if data.draw(st.integers(0, 9)) == 0:
            column = data.draw(st.sampled_from(sorted(rows[0])))
            name = data.draw(st.sampled_from([column.lower(), f"{column} ", "PTS", "", "x"]))
            rows[:] = [{name if c == column else c: v for c, v in row.items()} for row in rows]
    suffix = data.draw(st.sampled_from(["csv", "csv.gz", "parquet"]))
    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in tables.items():
            path = Path(folder) / f"{kind}.{suffix}"
            frame = pl.DataFrame(rows, infer_schema_length=None)
            if suffix == "parquet":
                frame.write_parquet(path)
                content = path.read_bytes()
            else:
                content = frame.write_csv().encode()
                content = gzip.compress(content) if suffix == "csv.gz" else content
            path.write_bytes(_changed_file(data, content))
        source = FilesSource(Path(folder))
        for check in (_check_frames, _check_accounts):
            try:
                check(source)
            except SourceDataError as error:
                names = "|".join(KINDS)
                assert re.match(rf"({names})\.{suffix}(: |, row )", str(error)), str(error)


def _check_accounts(source: FilesSource) -> None:
    for account in source.accounts(DAY):
        outcomes = (account.used, account.superseded, len(account.rejected))
        assert account.rows == sum(outcomes) + account.left_out
        assert min(*outcomes, *account.dropped.values()) >= 0
        assert len({row.row for row in account.rejected}) == len(account.rejected)
        for row in account.rejected:
            assert row.file == account.path
            assert 1 <= row.row <= account.rows
            assert "; " in row.reason


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["csv", "parquet", "csv.gz"]))
def test_arbitrary_bytes_result_in_a_source_data_error(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"player_game_logs.{suffix}").write_bytes(content)
        with pytest.raises(SourceDataError, match=r"player_game_logs"):
            FilesSource(Path(folder)).game_logs(DAY)


@pytest.fixture(scope="module")
def season() -> dict[str, pl.DataFrame]:
    league = SimulatedLeague(seed=3)
    return {
        "player_game_logs": league.league_game_log("2025-26").filter(
            pl.col("GAME_DATE") < date(2026, 2, 1)
        ),
        "points_lines": league.league_lines("2025-26"),
        "injuries": league.league_injuries("2025-26"),
    }


@settings(max_examples=8, deadline=None)
@given(
    st.dates(date(2025, 11, 1), date(2026, 1, 25)),
    st.sampled_from(["other points", "no rows", "other players"]),
)
def test_results_of_the_date_and_later_do_not_change_the_inputs_of_the_date(
    season: dict[str, pl.DataFrame], day: date, change: str
) -> None:
    logs = season["player_game_logs"]
    past, future = logs.filter(pl.col("GAME_DATE") < day), logs.filter(pl.col("GAME_DATE") >= day)
    if change == "other points":
        more = pl.col("PTS", "FTM", "FTA", "AST") + 7
        future = future.with_columns(more, MIN=pl.lit(11, pl.Int64))
    elif change == "no rows":
        future = future.clear()
    else:
        future = future.group_by("GAME_ID", "TEAM_ABBREVIATION", maintain_order=True).head(3)
        future = future.select(logs.columns)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for folder, frame in ((Path(one), logs), (Path(two), pl.concat([past, future]))):
            frame.write_parquet(folder / "player_game_logs.parquet")
            season["points_lines"].write_parquet(folder / "points_lines.parquet")
            season["injuries"].write_parquet(folder / "injuries.parquet")
        original, changed = FilesSource(Path(one)), FilesSource(Path(two))
        assert original.game_logs(day).equals(changed.game_logs(day))
        assert original.prop_lines(day).equals(changed.prop_lines(day))
        assert original.injuries(day).equals(changed.injuries(day))
        # The schedule uses only the teams in the logs of the date, which the lines have as well.
        assert original.schedule(day).equals(changed.schedule(day))


def test_without_lines_only_the_games_are_taken_from_the_logs_of_the_date(
    season: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    day = date(2026, 1, 15)
    season["player_game_logs"].write_parquet(tmp_path / "player_game_logs.parquet")
    games = FilesSource(tmp_path).schedule(day)
    expected = SimulatedLeague(seed=3).schedule(day)
    assert set(games["game_id"]) == set(expected["game_id"])
    assert games["tipoff"].null_count() == games.height


def test_the_order_of_rows_and_files_has_no_effect(
    season: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    day = date(2026, 1, 15)
    logs, lines = season["player_game_logs"], season["points_lines"]
    for name, shuffled in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        for kind, frame in (("player_game_logs", logs), ("points_lines", lines)):
            mixed = frame.sample(fraction=1.0, shuffle=True, seed=1) if shuffled else frame
            half = mixed.height // 2
            mixed.tail(mixed.height - half).write_parquet(tmp_path / name / f"{kind}_1.parquet")
            mixed.head(half).write_csv(tmp_path / name / f"{kind}_2.csv")
    one, two = FilesSource(tmp_path / "a"), FilesSource(tmp_path / "b")
    assert one.game_logs(day).equals(two.game_logs(day))
    assert one.prop_lines(day).equals(two.prop_lines(day))
    assert one.schedule(day).equals(two.schedule(day))


# --- real data


@lru_cache(maxsize=1)
def _source(folder: Path) -> FilesSource:
    return FilesSource(folder)


@pytest.fixture
def real(real_data_dir: Path) -> FilesSource:
    return _source(real_data_dir)


@pytest.mark.real_data
def test_real_logs_have_all_games_of_four_seasons(real: FilesSource) -> None:
    logs = real.game_logs(date(2030, 1, 1))
    # The file has 104,641 rows. Players with MIN 0 did not play.
    (account,) = (a for a in real.accounts(date(2030, 1, 1)) if a.kind == "player_game_logs")
    assert set(account.dropped) == {"did_not_play"}
    assert logs.height + account.dropped["did_not_play"] == account.rows == 104_641
    assert (account.used, account.superseded, account.rejected) == (logs.height, 0, ())
    games = logs.group_by("season").agg(pl.col("game_id").n_unique())
    assert games["game_id"].to_list() == [1230] * 4
    teams = logs.group_by("season", "team").agg(pl.col("game_id").n_unique())
    assert teams.height == 120
    assert set(teams["game_id"]) == {82}
    doncic = logs.filter(
        (pl.col("player_lookup") == "lukadoncic") & (pl.col("game_date") == date(2024, 1, 26))
    )
    assert doncic["points"].to_list() == [73]
    # Mexico City is a neutral court. The log has no home team for it, the lines do.
    neutral = logs.filter(pl.col("game_id") == "20241102_MIA_WAS")
    assert set(neutral["team"]) == {"MIA", "WAS"}
    assert not neutral["is_home"].any()


@pytest.mark.real_data
def test_a_real_night_has_its_games_and_lines(real: FilesSource) -> None:
    assert real.schedule(DAY).height == 7
    assert real.schedule(DAY)["tipoff"].null_count() == 0
    lines = real.prop_lines(DAY)
    assert lines["player_lookup"].n_unique() == 91
    assert set(lines["line_source"]) == {"dfs"}
    assert real.schedule(date(2024, 4, 14)).height == 15
    (account,) = (a for a in real.accounts(DAY) if a.kind == "points_lines")
    assert account.dropped["placeholder_price"] == 28


@pytest.mark.real_data
def test_real_lines_match_the_games_of_the_schedule(real: FilesSource) -> None:
    day, postponed = date(2024, 10, 22), set()
    while day <= date(2025, 1, 12):
        lines = real.prop_lines(day)
        games = real.schedule(day).select("away_team", "home_team")
        unmatched = lines.join(games, on=["away_team", "home_team"], how="anti")
        postponed |= set(unmatched.select("game_date", "away_team", "home_team").rows())
        day += timedelta(days=1)
    # The only quoted game that was postponed, because of snow.
    assert postponed == {(date(2025, 1, 11), "HOU", "ATL")}
