"""The file source: formats that it reads, rows that it omits, and errors for invalid files."""

import re
import threading
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.port import (
    GAME_LOGS,
    INJURIES,
    PROP_LINES,
    SCHEDULE,
    LeagueSource,
    Provenance,
)

DAY = date(2025, 1, 10)
STATS = ("FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "AST", "STL", "BLK", "TOV")

Row = dict[str, Any]


def log_row(**changes: object) -> Row:
    row: Row = dict.fromkeys(STATS, "0")
    row |= {
        "SEASON_ID": "22024",
        "PLAYER_ID": "1",
        "PLAYER_NAME": "Luka Dončić",
        "TEAM_ABBREVIATION": "DAL",
        "GAME_ID": "0022400001",
        "GAME_DATE": "2025-01-08",
        "MATCHUP": "DAL @ ATL",
        "MIN": "36",
        "FGM": "9",
        "FGA": "20",
        "FG3M": "3",
        "FG3A": "8",
        "FTM": "4",
        "FTA": "5",
        "PF": "2",
        "PTS": "25",
    }
    return row | changes


def line_row(**changes: object) -> Row:
    return {
        "snap": "01_10_2025",
        "player": "Luka Doncic",
        "market": "player_points",
        "bookmaker": "FanDuel",
        "side": "Over",
        "line": "28.5",
        "price": "-110",
        "home_team": "Atlanta Hawks",
        "away_team": "Dallas Mavericks",
        "game_id": "92cf7db6",
        "commence_time": "2025-01-11T00:10:00Z",
    } | changes


def write(folder: Path, **tables: list[Row]) -> FilesSource:
    for name, rows in tables.items():
        pl.DataFrame(rows, infer_schema_length=None).write_csv(folder / f"{name}.csv")
    return FilesSource(folder)


def read(source: FilesSource, kind: str) -> pl.DataFrame:
    if kind == "player_game_logs":
        return source.game_logs(DAY)
    if kind == "points_lines":
        return source.prop_lines(DAY)
    return source.schedule(DAY) if kind == "schedule" else source.injuries(DAY)


def error_of(source: FilesSource, kind: str = "player_game_logs") -> str:
    with pytest.raises(SourceDataError) as caught:
        read(source, kind)
    return str(caught.value)


def rejected_of(source: FilesSource, kind: str = "player_game_logs") -> str:
    """Return the only row of one kind that is set aside, while the others are used."""
    read(source, kind)
    (row,) = (r for a in source.accounts(DAY) if a.kind == kind for r in a.rejected)
    return str(row)


def dropped_of(source: FilesSource, reason: str) -> int:
    return sum(a.dropped.get(reason, 0) for a in source.accounts(DAY))


def superseded_of(source: FilesSource) -> int:
    return sum(a.superseded for a in source.accounts(DAY))


# --- game logs


def test_a_box_score_row_is_normalized(tmp_path: Path) -> None:
    source: LeagueSource = write(tmp_path, player_game_logs=[log_row(MIN="36:30")])
    assert source.name == "files"
    assert source.game_logs(DAY).row(0, named=True) == {
        "game_date": date(2025, 1, 8),
        "game_id": "20250108_DAL_ATL",
        "season": "2024-25",
        "player_id": 1,
        "player_lookup": "lukadoncic",
        "player_name": "Luka Dončić",
        "team": "DAL",
        "opponent": "ATL",
        "is_home": False,
        "minutes": 36.5,
        "points": 25,
        "fgm": 9,
        "fga": 20,
        "fg3m": 3,
        "fg3a": 8,
        "ftm": 4,
        "fta": 5,
        "oreb": 0,
        "dreb": 0,
        "ast": 0,
        "stl": 0,
        "blk": 0,
        "tov": 0,
        "pf": 2,
        "observed_at": None,
    }
    assert dict(source.game_logs(DAY).schema) == GAME_LOGS


def test_a_home_game_has_the_opponent_as_away_team(tmp_path: Path) -> None:
    source = write(
        tmp_path, player_game_logs=[log_row(MATCHUP="PHI vs. SAS", TEAM_ABBREVIATION="PHI")]
    )
    row = source.game_logs(DAY).row(0, named=True)
    assert (row["game_id"], row["opponent"], row["is_home"]) == ("20250108_SAS_PHI", "SAS", True)


def test_game_logs_are_before_the_date_and_oldest_first(tmp_path: Path) -> None:
    days = ["2025-01-10", "2025-01-08", "2025-01-11", "2025-01-09"]
    source = write(tmp_path, player_game_logs=[log_row(GAME_DATE=d) for d in days])
    assert source.game_logs(DAY)["game_date"].to_list() == [date(2025, 1, 8), date(2025, 1, 9)]
    assert source.box_scores(DAY)["game_date"].to_list() == [DAY]
    assert source.box_scores(date(2025, 3, 1)).is_empty()


@pytest.mark.parametrize(
    "value",
    [
        pl.Series([date(2025, 1, 8)]),
        pl.Series([datetime(2025, 1, 8)]),  # noqa: DTZ001
        pl.Series(["2025-01-08T00:00:00"]),
        pl.Series([" 2025-01-08 "]),
        pl.Series(["2025-01-08"], dtype=pl.Categorical),
    ],
)
def test_a_date_may_have_several_formats(tmp_path: Path, value: pl.Series) -> None:
    frame = pl.DataFrame([log_row()]).with_columns(value.alias("GAME_DATE"))
    frame.write_parquet(tmp_path / "player_game_logs.parquet")
    assert FilesSource(tmp_path).game_logs(DAY)["game_date"].to_list() == [date(2025, 1, 8)]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [("24", 24.0), ("24.5", 24.5), ("24:30", 24.5), ("0:30", 0.5), (" 7 ", 7.0)],
)
def test_minutes_may_have_several_formats(tmp_path: Path, minutes: str, expected: float) -> None:
    source = write(tmp_path, player_game_logs=[log_row(MIN=minutes)])
    assert source.game_logs(DAY)["minutes"].to_list() == [expected]


def test_typed_and_text_files_are_combined(tmp_path: Path) -> None:
    text = pl.DataFrame([log_row(GAME_DATE="2025-01-07")])
    typed = pl.DataFrame([log_row()]).with_columns(
        pl.col("PTS", "FGM", "FGA", "PLAYER_ID").cast(pl.Int32),
        pl.col("FTM").cast(pl.Float64),
        pl.col("GAME_DATE").str.to_date(),
    )
    text.write_csv(tmp_path / "player_game_logs_1.csv")
    typed.drop("SEASON_ID").write_parquet(tmp_path / "player_game_logs_2.parquet")
    logs = FilesSource(tmp_path).game_logs(DAY)
    assert logs["points"].to_list() == [25, 25]
    assert logs["season"].to_list() == ["2024-25", "2024-25"]


def test_a_stated_season_has_priority_over_the_date(tmp_path: Path) -> None:
    bubble = {"GAME_DATE": "2020-08-05", "SEASON_ID": "22019", "GAME_ID": ""}
    source = write(tmp_path, player_game_logs=[log_row(**bubble)])
    assert source.game_logs(DAY)["season"].to_list() == ["2019-20"]


def test_players_who_did_not_play_are_omitted_and_counted(tmp_path: Path) -> None:
    absent = log_row(PLAYER_ID="2", PLAYER_NAME="A B", MIN="", **dict.fromkeys(STATS, ""), PTS="")
    zero = log_row(PLAYER_ID="3", PLAYER_NAME="C D", MIN="0", PTS="0", FTM="0")
    clock = log_row(PLAYER_ID="4", PLAYER_NAME="E F", MIN="0:00", PTS="0", FTM="0")
    source = write(tmp_path, player_game_logs=[log_row(), absent, zero, clock])
    assert source.game_logs(DAY)["player_lookup"].to_list() == ["lukadoncic"]
    assert dropped_of(source, "did_not_play") == 3


def test_identical_rows_of_all_files_are_collapsed(tmp_path: Path) -> None:
    source = write(
        tmp_path, player_game_logs=[log_row(), log_row()], player_game_logs_again=[log_row()]
    )
    assert source.game_logs(DAY).height == 1
    assert (superseded_of(source), dropped_of(source, "duplicate")) == (0, 2)


@pytest.mark.parametrize("sign", ["@", "vs."])
def test_the_home_team_on_a_neutral_court_is_that_of_the_lines(tmp_path: Path, sign: str) -> None:
    rows = [
        log_row(MATCHUP=f"DAL {sign} ATL"),
        log_row(
            MATCHUP=f"ATL {sign} DAL", TEAM_ABBREVIATION="ATL", PLAYER_ID="2", PLAYER_NAME="T Y"
        ),
    ]
    logs = write(tmp_path, player_game_logs=rows).game_logs(DAY)
    assert logs["is_home"].to_list() == [False, False]
    assert set(logs["game_id"]) == {"20250108_ATL_DAL"}, "the last team in alphabetical order"
    # With lines, their home team counts. The game has the same id in all frames.
    quoted = line_row(commence_time="2025-01-09T00:10:00Z", snap="01_08_2025")
    reversed_book = quoted | {
        "bookmaker": "Other",
        "home_team": quoted["away_team"],
        "away_team": quoted["home_team"],
    }
    source = write(tmp_path, points_lines=[quoted, reversed_book])
    assert set(source.game_logs(DAY)["game_id"]) == {"20250108_DAL_ATL"}
    day = date(2025, 1, 8)
    assert source.schedule(day)["game_id"].to_list() == ["20250108_DAL_ATL"]
    assert set(source.prop_lines(day)["home_team"]) == {"ATL"}


def test_players_of_different_periods_may_have_the_same_name(tmp_path: Path) -> None:
    old = log_row(GAME_DATE="1999-01-08", SEASON_ID="21998", GAME_ID="", PLAYER_ID="9")
    logs = write(tmp_path, player_game_logs=[old, log_row()]).game_logs(DAY)
    assert logs["player_lookup"].to_list() == ["lukadoncic", "lukadoncic1"]


def test_a_renamed_player_has_one_key_at_a_time(tmp_path: Path) -> None:
    rows = [
        log_row(GAME_DATE=f"2025-01-0{day}", PLAYER_NAME=name)
        for day, name in ((2, "Luka D"), (4, "Luka D II"), (6, "Luka D II"))
    ]
    source = write(tmp_path, player_game_logs=rows)
    assert set(source.game_logs(DAY)["player_lookup"]) == {"lukadii"}
    assert source.game_logs(DAY)["player_name"].to_list() == ["Luka D", "Luka D II", "Luka D II"]
    # Before the first game under the new name, nobody knew it.
    fourth = date(2025, 1, 4)
    assert source.game_logs(fourth)["player_lookup"].to_list() == ["lukad"]
    assert source.box_scores(fourth)["player_lookup"].to_list() == ["lukad"]
    assert source.box_scores(date(2025, 1, 6))["player_lookup"].to_list() == ["lukadii"]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("PLAYER_ID", "", "is empty"),
        ("PLAYER_ID", "x7", "'x7' is not"),
        ("PLAYER_NAME", " ", "is empty"),
        ("PLAYER_NAME", "...", "no letter or digit"),
        ("TEAM_ABBREVIATION", "Dallas", "'Dallas' is not"),
        ("TEAM_ABBREVIATION", "", "is empty"),
        ("GAME_DATE", "", "is empty"),
        ("GAME_DATE", "2025-02-30", "'2025-02-30' is not a date"),
        ("GAME_DATE", "01/08/2025", "is not a date"),
        ("GAME_DATE", "2025-01-08T19:30:00", "is not a date"),
        ("GAME_DATE", "0025-01-08", "is not a date"),
        ("SEASON_ID", "22025", "2025-01-08 is not in the season 2025-26"),
        ("SEASON_ID", "22023", "2025-01-08 is not in the season 2023-24"),
        ("SEASON_ID", "2024", "is not a season"),
        ("MATCHUP", "", "is empty"),
        ("MATCHUP", "DAL-ATL", "is not two teams"),
        ("MATCHUP", "ATL vs. DAL", "does not fit a player of DAL"),
        ("MATCHUP", "DAL @ DAL", "does not fit a player of DAL"),
        ("MIN", "", "is empty, but PTS is 25"),
        ("MIN", "24:75", "'24:75' is not"),
        ("MIN", "-3", "'-3' is not"),
        ("MIN", "2160", "'2160' is not"),
        ("MIN", "DNP", "'DNP' is not"),
        ("PTS", "", "is empty"),
        ("PTS", "-2", "'-2' is not a whole number"),
        ("PTS", "25.5", "'25.5' is not a whole number"),
        ("PTS", "nan", "'nan' is not a whole number"),
        ("PTS", "inf", "'inf' is not a whole number"),
        ("PTS", "1e9", "'1e9' is not a whole number"),
        ("AST", "two", "'two' is not a whole number"),
        ("FGM", "21", "21 is more than FGA 20"),
        ("FG3M", "9", "9 is more than FG3A 8"),
        ("FTM", "6", "6 is more than FTA 5"),
        ("FG3A", "21", "21 is more than FGA 20"),
    ],
)
def test_an_invalid_log_cell_is_named_with_a_fix(
    tmp_path: Path, column: str, value: str, problem: str
) -> None:
    good = log_row(GAME_DATE="2025-01-06")
    message = rejected_of(write(tmp_path, player_game_logs=[good, log_row(**{column: value})]))
    assert message.startswith(f"player_game_logs.csv, row 2, column {column}: ")
    assert problem in message
    assert re.search(r"; \w", message), "the fix is missing"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("PTS", pl.Series([[1], [2]])),
        ("PTS", pl.Series([True, False])),
        ("PTS", pl.Series([float("nan"), 1.0])),
        ("PTS", pl.Series([float("inf"), 1.0])),
        ("PTS", pl.Series([2**63, 1], dtype=pl.UInt64)),
        ("GAME_DATE", pl.Series([20250108, 20250106])),
        ("GAME_DATE", pl.Series([datetime(2025, 1, 8, 19), None])),  # noqa: DTZ001
        ("PLAYER_NAME", pl.Series([7, 8])),
        ("MIN", pl.Series([timedelta(minutes=24), timedelta(minutes=25)])),
        ("MIN", pl.Series([float("nan"), float("nan")])),
        ("MATCHUP", pl.Series([b"DAL @ ATL", b"DAL @ ATL"])),
    ],
)
def test_a_column_of_a_wrong_type_is_named(tmp_path: Path, column: str, values: pl.Series) -> None:
    rows = [log_row(), log_row(GAME_DATE="2025-01-06")]
    frame = pl.DataFrame(rows).with_columns(values.alias(column))
    frame.write_parquet(tmp_path / "player_game_logs.parquet")
    message = error_of(FilesSource(tmp_path))
    assert message.startswith(f"player_game_logs.parquet, row 1, column {column}: ")


@pytest.mark.parametrize("column", ["PLAYER_ID", "MATCHUP", "MIN", "PTS", "PF"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    row = log_row()
    del row[column]
    message = error_of(write(tmp_path, player_game_logs=[row]))
    assert message.startswith(f"player_game_logs.csv: column {column} is missing")


def test_the_later_of_two_rows_of_one_game_wins(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[log_row(), log_row(AST="4")])
    assert source.game_logs(DAY)["ast"].to_list() == [4]
    (account,) = source.accounts(DAY)
    assert (account.rows, account.used, account.superseded) == (2, 1, 1)
    assert account.note == "1 row corrected: PLAYER_ID 1, 2025-01-08, AST 0 -> 4"


def test_two_players_with_the_same_name_have_different_keys(tmp_path: Path) -> None:
    rows = [
        log_row(GAME_DATE="2025-01-04", PLAYER_ID="2", PLAYER_NAME="Luka Doncic"),
        log_row(GAME_DATE="2025-01-02", PLAYER_ID="77"),
        log_row(GAME_DATE="2025-01-06", PLAYER_ID="77"),
    ]
    logs = write(tmp_path, player_game_logs=rows).game_logs(DAY)
    assert logs["player_lookup"].to_list() == ["lukadoncic", "lukadoncic2", "lukadoncic"]


def test_of_two_games_of_a_team_on_one_date_the_one_with_fewer_rows_is_set_aside(
    tmp_path: Path,
) -> None:
    other = {"PLAYER_ID": "2", "PLAYER_NAME": "T Y"}
    third = {"PLAYER_ID": "3", "PLAYER_NAME": "A B"}
    rows = [log_row(MATCHUP="DAL @ BOS", **other), log_row(**third), log_row()]
    message = rejected_of(write(tmp_path, player_game_logs=rows))
    assert message.startswith("player_game_logs.csv, row 1, column MATCHUP: DAL plays BOS - DAL")
    assert "ATL - DAL" in message
    # Of as many, the newer one counts.
    message = rejected_of(write(tmp_path, player_game_logs=[rows[2], rows[0]]))
    assert message.startswith("player_game_logs.csv, row 1, column MATCHUP: DAL plays ATL - DAL")


def test_a_row_with_another_venue_than_its_team_is_set_aside(tmp_path: Path) -> None:
    rows = [log_row(PLAYER_ID=str(n), PLAYER_NAME=f"A {'bcd'[n]}") for n in range(3)]
    rows[1]["MATCHUP"] = "DAL vs. ATL"
    message = rejected_of(write(tmp_path, player_game_logs=rows))
    assert message.startswith("player_game_logs.csv, row 2, column MATCHUP: other rows have")


# --- the folder


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert "the folder does not exist" in error_of(FilesSource(tmp_path / "nowhere"))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    assert "the folder is empty" in error_of(FilesSource(tmp_path))


def test_missing_game_logs_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.xlsx").write_bytes(b"x")
    message = error_of(FilesSource(tmp_path))
    assert "player_game_logs*.parquet or .csv (the files are player_game_logs.xlsx (" in message


@pytest.mark.parametrize("name", ["player_game_logs.csv", "player_game_logs.parquet"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert error_of(FilesSource(tmp_path)).startswith(f"{name}: the file is empty")


def test_game_logs_without_rows_are_empty(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.csv").write_text(",".join(log_row()) + "\n")
    assert FilesSource(tmp_path).game_logs(DAY).is_empty()


def test_unreadable_files_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.parquet").write_bytes(b"PAR1 not really")
    assert "cannot be read as parquet" in error_of(FilesSource(tmp_path))
    (tmp_path / "player_game_logs.parquet").unlink()
    (tmp_path / "player_game_logs.csv").write_bytes("PLAYER_NAME\nDončić\n".encode("latin2"))
    assert "the text is not in UTF-8" in error_of(FilesSource(tmp_path))


def test_a_csv_row_that_is_too_long_is_named(tmp_path: Path) -> None:
    rows = ",".join(log_row()), ",".join(log_row().values()), ",".join(log_row().values()) + ",7"
    (tmp_path / "player_game_logs.csv").write_text("\n".join(rows) + "\n")
    message = error_of(FilesSource(tmp_path))
    assert message.startswith(f"player_game_logs.csv, row 2, column {len(log_row()) + 1}: '7'")


def test_files_are_read_once(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[log_row()])
    first = source.game_logs(DAY)
    (tmp_path / "player_game_logs.csv").unlink()
    assert source.game_logs(DAY).equals(first)


def test_concurrent_threads_read_a_file_once(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[log_row(), log_row()], points_lines=[line_row()])
    seen: list[tuple[int, int]] = []

    def read() -> None:
        seen.append((source.game_logs(DAY).height, source.prop_lines(DAY).height))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(1, 1)] * 8
    assert dropped_of(source, "duplicate") == 1


# --- lines


def lines_source(folder: Path, *rows: Row) -> FilesSource:
    return write(folder, player_game_logs=[log_row()], points_lines=list(rows))


def test_a_quote_is_normalized(tmp_path: Path) -> None:
    lines = lines_source(tmp_path, line_row()).prop_lines(DAY)
    assert dict(lines.schema) == PROP_LINES
    assert lines.row(0, named=True) == {
        "game_date": DAY,
        "player_lookup": "lukadoncic",
        "player_name": "Luka Doncic",
        "market": "points",
        "game_id": "20250110_DAL_ATL",
        "book": "fanduel",
        "book_name": "FanDuel",
        "line_source": "sportsbook",
        "side": "Over",
        "line": Decimal("28.5"),
        "price": -110,
        "away_team": "DAL",
        "home_team": "ATL",
        "quoted_on": DAY,
        "quoted_at": None,
    }


@pytest.mark.parametrize(
    ("commence", "day"),
    [
        ("2025-01-11T00:10:00Z", date(2025, 1, 10)),
        ("2025-01-11 04:59:59+00:00", date(2025, 1, 10)),
        ("2025-01-11T05:00:00.000000+0000", date(2025, 1, 11)),
        ("2025-01-10T19:10:00-05:00", date(2025, 1, 10)),
        ("2025-01-10T23:59Z", date(2025, 1, 10)),
        ("", date(2025, 1, 10)),
    ],
)
def test_the_game_date_of_a_line_is_the_eastern_day_of_its_game(
    tmp_path: Path, commence: str, day: date
) -> None:
    source = lines_source(tmp_path, line_row(commence_time=commence))
    assert source.prop_lines(day)["game_date"].to_list() == [day]
    assert source.prop_lines(day + timedelta(days=1)).is_empty()


def test_commence_time_may_be_a_timestamp(tmp_path: Path) -> None:
    write(tmp_path, player_game_logs=[log_row()])
    moment = datetime(2025, 1, 11, 0, 10, tzinfo=timezone.utc)
    pl.DataFrame([line_row(commence_time=moment, line=28.5, price=-110)]).write_parquet(
        tmp_path / "points_lines.parquet"
    )
    assert FilesSource(tmp_path).prop_lines(DAY).height == 1


def test_omitted_lines_are_counted_by_reason(tmp_path: Path) -> None:
    source = lines_source(
        tmp_path,
        line_row(),
        line_row(),
        line_row(market="player_rebounds", line="x", price="even"),
        line_row(price="-10000"),
        line_row(price="10000"),
        line_row(snap="01_12_2025"),
        line_row(side="under", price=""),
    )
    lines = source.prop_lines(DAY)
    assert sorted(lines.select("side", "price").rows()) == [("Over", -110), ("Under", None)]
    account = next(a for a in source.accounts(DAY) if a.kind == "points_lines")
    assert account.dropped == {
        "after_tipoff": 1,
        "duplicate": 1,
        "other_market": 1,
        "placeholder_price": 2,
    }
    assert (account.rows, account.used, account.superseded) == (7, 2, 0)


@pytest.mark.parametrize(
    ("book", "source"),
    [
        ("PrizePicks", "dfs"),
        ("prizepicks", "dfs"),
        ("UNDERDOG FANTASY", "dfs"),
        ("Sleeper", "dfs"),
        ("DraftKings Pick6", "dfs"),
        ("DraftKings", "sportsbook"),
        ("Pinnacle", "sportsbook"),
    ],
)
def test_the_line_source_depends_on_the_book(tmp_path: Path, book: str, source: str) -> None:
    lines = lines_source(tmp_path, line_row(bookmaker=book)).prop_lines(DAY)
    assert lines["line_source"].to_list() == [source]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("player", "", "is empty"),
        ("market", "", "is empty"),
        ("bookmaker", "", "is empty"),
        ("side", "Both", "'Both' is not a side"),
        ("line", "", "is empty"),
        ("line", "28.25", "'28.25' is not a line"),
        ("line", "0", "'0' is not a line"),
        ("line", "-1.5", "'-1.5' is not a line"),
        ("line", "nan", "'nan' is not a line"),
        ("line", "285", "'285' is not a line"),
        ("price", "1.91", "1.91 is not an American price, but may be decimal odds"),
        ("price", "50", "50 is not an American price"),
        ("home_team", "Hawks", "'Hawks' is not known"),
        ("home_team", "DAL", "no game can be made"),
        ("away_team", "", "is empty"),
        ("commence_time", "2025-01-11T00:10:00", "is not a time with a time zone"),
        ("commence_time", "tonight", "'tonight' is not a time"),
        ("snap", "2025-13-01", "'2025-13-01' is not a day"),
    ],
)
def test_an_invalid_line_cell_is_named(
    tmp_path: Path, column: str, value: str, problem: str
) -> None:
    source = lines_source(tmp_path, line_row(), line_row(**{column: value}))
    message = rejected_of(source, "points_lines")
    assert message.startswith(f"points_lines.csv, row 2, column {column}: ")
    assert problem in message


def test_row_numbers_count_omitted_rows(tmp_path: Path) -> None:
    source = lines_source(tmp_path, line_row(market="other"), line_row(), line_row(line="x"))
    assert rejected_of(source, "points_lines").startswith("points_lines.csv, row 3, column line")


def test_a_line_without_a_date_is_refused(tmp_path: Path) -> None:
    source = lines_source(tmp_path, line_row(), line_row(commence_time="", snap=""))
    message = rejected_of(source, "points_lines")
    assert message.startswith("points_lines.csv, row 2, column commence_time: is empty, and so is")
    assert "fill in commence_time" in message
    row = line_row()
    del row["commence_time"], row["snap"]
    message = error_of(lines_source(tmp_path, row), "points_lines")
    assert message.startswith("points_lines.csv, row 1 to 1, column commence_time: is missing")


def test_a_timestamp_without_a_time_zone_is_invalid(tmp_path: Path) -> None:
    write(tmp_path, player_game_logs=[log_row()])
    naive = datetime(2025, 1, 11, 0, 10)  # noqa: DTZ001
    frame = pl.DataFrame([line_row(commence_time=naive)] * 6)
    frame.write_parquet(tmp_path / "points_lines.parquet")
    message = error_of(FilesSource(tmp_path), "points_lines")
    assert message.startswith("points_lines.parquet, row 1, column commence_time")


# --- schedule


def test_a_schedule_file_is_normalized(tmp_path: Path) -> None:
    rows = [
        {"game_date": "2025-01-10", "away_team": "BOS", "home_team": "New York Knicks"},
        {"game_date": "2025-01-11", "away_team": "DAL", "home_team": "ATL"},
    ]
    rows[0]["tipoff"] = "2025-01-11T00:40:00Z"
    source = write(tmp_path, player_game_logs=[log_row(GAME_DATE="2025-01-10")], schedule=rows)
    games = source.schedule(DAY)
    assert dict(games.schema) == SCHEDULE
    assert games.rows() == [
        (
            DAY,
            "20250110_BOS_NYK",
            "BOS",
            "NYK",
            datetime(2025, 1, 11, 0, 40, tzinfo=timezone.utc),
            None,
        )
    ]
    assert source.schedule(date(2025, 1, 11))["tipoff"].to_list() == [None]
    assert source.schedule(date(2025, 1, 12)).is_empty()


def test_without_a_schedule_games_are_derived_from_logs_or_lines(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        player_game_logs=[log_row(GAME_DATE="2025-01-10"), log_row()],
        points_lines=[
            line_row(),
            line_row(home_team="BOS", away_team="NYK"),
            line_row(commence_time="2025-01-12T01:00:00Z", snap="01_11_2025"),
        ],
    )
    played = source.schedule(DAY)
    assert played["game_id"].to_list() == ["20250110_DAL_ATL"], (
        "a postponed game is not in the logs"
    )
    assert played["tipoff"].to_list() == [datetime(2025, 1, 11, 0, 10, tzinfo=timezone.utc)]
    upcoming = source.schedule(date(2025, 1, 11))
    assert upcoming["game_id"].to_list() == ["20250111_DAL_ATL"]
    unquoted = source.schedule(date(2025, 1, 8))
    assert unquoted["tipoff"].to_list() == [None]
    assert dict(unquoted.schema) == SCHEDULE


def test_of_two_games_of_a_team_in_the_lines_the_later_one_counts(tmp_path: Path) -> None:
    source = lines_source(tmp_path, line_row(), line_row(home_team="BOS"))
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_DAL_BOS"]


@pytest.mark.parametrize(
    ("column", "row", "problem"),
    [
        ("game_date", {"game_date": "soon"}, "'soon' is not a date"),
        ("tipoff", {"tipoff": "19:00"}, "'19:00' is not a time"),
    ],
)
def test_an_invalid_game_is_named(tmp_path: Path, column: str, row: Row, problem: str) -> None:
    good = {
        "game_date": "2025-01-10",
        "away_team": "DAL",
        "home_team": "ATL",
        "tipoff": "2025-01-11T00:10:00Z",
    }
    bad = good | {"tipoff": "2025-01-11T00:40:00Z"} | row
    source = write(tmp_path, player_game_logs=[log_row()], schedule=[good, bad])
    message = rejected_of(source, "schedule")
    assert message.startswith(f"schedule.csv, row 2, column {column}: ")
    assert problem in message


def test_a_later_row_moves_the_tipoff_or_replaces_the_game(tmp_path: Path) -> None:
    first = {"game_date": "2025-01-10", "away_team": "DAL", "home_team": "ATL"}
    rows = [first | {"tipoff": f"2025-01-11T00:{minute}0:00Z"} for minute in (1, 4)]
    source = write(tmp_path, player_game_logs=[log_row()], schedule=rows)
    assert [tipoff.minute for tipoff in source.schedule(DAY)["tipoff"]] == [40]
    assert superseded_of(source) == 1
    source = write(tmp_path, schedule=[first, first | {"away_team": "NYK"}])
    assert source.schedule(DAY)["away_team"].to_list() == ["NYK"]
    assert "ATL plays DAL - ATL" in rejected_of(source, "schedule")


# --- injuries


def test_an_injury_report_is_normalized(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        player_game_logs=[log_row()],
        injuries=[
            {"player": "A B", "status": "Out", "game_date": "2025-01-10", "reason": "Knee"},
            {"player": "A B", "status": "PROBABLE", "game_date": "", "reason": ""},
            {"player": "C D", "status": "questionable", "game_date": "", "reason": ""},
            {"player": "C D", "status": "questionable", "game_date": "", "reason": "Ankle"},
        ],
    )
    report = source.injuries(DAY)
    assert dict(report.schema) == INJURIES
    assert report.rows() == [
        (DAY, "ab", "A B", None, "OUT", "Knee", None),
        (DAY, "cd", "C D", None, "QUESTIONABLE", "Ankle", None),
    ]
    assert source.injuries(date(2025, 1, 11))["status"].to_list() == ["PROBABLE", "QUESTIONABLE"]


@pytest.mark.parametrize(
    ("column", "row", "problem"),
    [
        ("status", {"status": "Maybe"}, "'Maybe' is not a status"),
        ("status", {"status": ""}, "is empty"),
        ("player", {"player": ""}, "is empty"),
    ],
)
def test_an_invalid_injury_row_is_named(
    tmp_path: Path, column: str, row: Row, problem: str
) -> None:
    rows = [{"player": "A B", "status": "DOUBTFUL"}, {"player": "C D", "status": "OUT"} | row]
    source = write(tmp_path, player_game_logs=[log_row()], injuries=rows)
    message = rejected_of(source, "injuries")
    assert message.startswith(f"injuries.csv, row 2, column {column}: ")
    assert problem in message


def test_optional_files_may_be_absent(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[log_row()])
    assert dict(source.prop_lines(DAY).schema) == PROP_LINES
    assert dict(source.injuries(DAY).schema) == INJURIES
    assert dict(source.schedule(DAY).schema) == SCHEDULE
    assert source.prop_lines(DAY).is_empty()
    assert source.injuries(DAY).is_empty()
    assert source.schedule(DAY).is_empty()


# --- first date


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_first_date_is_that_of_the_oldest_box_score(tmp_path: Path, suffix: str) -> None:
    for name, days in (("2024-25", ["2025-01-10", "2025-01-08"]), ("2023-24", ["2024-03-01"])):
        frame = pl.DataFrame([log_row(GAME_DATE=day) for day in days]).drop("SEASON_ID", "GAME_ID")
        path = tmp_path / f"player_game_logs_{name}.{suffix}"
        frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    source = FilesSource(tmp_path)
    assert source.first_date == date(2024, 3, 1)
    assert source.game_logs(before=source.first_date).is_empty()
    assert len(source.box_scores(source.first_date)) > 0


def test_files_that_cannot_be_read_have_no_first_date(tmp_path: Path) -> None:
    assert FilesSource(tmp_path / "missing").first_date is None
    assert FilesSource(tmp_path).first_date is None
    logs = tmp_path / "player_game_logs.parquet"
    logs.write_bytes(b"no parquet")
    assert FilesSource(tmp_path).first_date is None
    pl.DataFrame({"OTHER": ["2025-01-10"]}).write_parquet(logs)
    assert FilesSource(tmp_path).first_date is None
    pl.DataFrame({"GAME_DATE": ["yesterday", "0001-01-01", None]}).write_parquet(logs)
    assert FilesSource(tmp_path).first_date is None


# --- provenance


def test_provenance_has_the_end_of_the_schedule_and_the_day_of_the_report(tmp_path: Path) -> None:
    without_schedule = write(tmp_path, player_game_logs=[log_row(GAME_DATE="2025-01-10")])
    assert without_schedule.provenance(DAY) == Provenance(False, None, None)
    reported = [{"player": "A B", "status": "Out", "game_date": "2025-01-10"}]
    games = [
        {"game_date": "2025-01-10", "away_team": "BOS", "home_team": "NYK"},
        {"game_date": "2025-01-12", "away_team": "DAL", "home_team": "ATL"},
    ]
    with_schedule = write(tmp_path, schedule=games, injuries=reported)
    assert with_schedule.provenance(DAY) == Provenance(True, date(2025, 1, 12), DAY)
    assert with_schedule.provenance(date(2025, 1, 11)).injuries_made_on is None
    undated = [*reported, {"player": "C D", "status": "Out", "game_date": ""}]
    assert write(tmp_path, injuries=undated).provenance(DAY).injuries_made_on is None
