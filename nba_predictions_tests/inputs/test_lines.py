"""The lines of the file source: times, books, markets, and the game that a line belongs to."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.inputs.test_files import DAY, Row, line_row, log_row, write

NEXT_DAY = DAY + timedelta(days=1)


def both(**changes: object) -> list[Row]:
    """Both sides of one line."""
    return [line_row(**{"side": side, **changes}) for side in ("Over", "Under")]


def game_row(**changes: object) -> Row:
    return {
        "game_date": "2025-01-10",
        "away_team": "DAL",
        "home_team": "ATL",
        "tipoff": "2025-01-11T00:10:00Z",
        **changes,
    }


def lines_source(folder: Path, *lines: Row, schedule: list[Row] | None = None) -> FilesSource:
    games = {} if schedule is None else {"schedule": schedule}
    # Tests add different columns to single rows.
    columns = dict.fromkeys(name for row in lines for name in row)
    rows = [{name: row.get(name, "") for name in columns} for row in lines]
    return write(folder, player_game_logs=[log_row()], points_lines=rows, **games)


def used(source: FilesSource, day: date = DAY) -> list[str]:
    """The lines of the date whose side is Over."""
    over = source.prop_lines(day).filter(pl.col("side") == "Over")
    return [str(line) for line in over["line"]]


def account(source: FilesSource, day: date = DAY) -> InputAccount:
    (found,) = (a for a in source.accounts(day) if a.kind == "points_lines")
    return found


@pytest.mark.parametrize(
    "times",
    [
        {"snap": "2025-01-10T22:00:00Z"},
        {"snap": "2025-01-10T17:00:00-05:00"},
        {"snap": "", "last_update": "2025-01-10T22:00:00Z"},
        {"snap": "01_10_2025", "observed_at": "2025-01-10T22:00:00Z"},
        {"snap": "", "observed_at": "2025-01-10T22:00:00Z", "last_update": "2025-01-09T00:00:00Z"},
    ],
)
def test_the_moment_of_a_quote_has_several_columns(tmp_path: Path, times: Row) -> None:
    quoted = lines_source(tmp_path, line_row(**times)).prop_lines(DAY)
    moment = datetime(2025, 1, 10, 22, tzinfo=timezone.utc)
    assert quoted["quoted_at"].to_list() == [moment]
    assert quoted["quoted_on"].to_list() == [DAY]


@pytest.mark.parametrize("snap", ["01_10_2025", "2025-01-10"])
def test_a_day_is_no_moment(tmp_path: Path, snap: str) -> None:
    quoted = lines_source(tmp_path, line_row(snap=snap)).prop_lines(DAY)
    assert quoted.select("quoted_on", "quoted_at").row(0) == (DAY, None)


def test_snap_may_be_a_timestamp_with_a_time_zone(tmp_path: Path) -> None:
    write(tmp_path, player_game_logs=[log_row()])
    moment = datetime(2025, 1, 10, 22, 30, tzinfo=timezone.utc)
    frame = pl.DataFrame([line_row(snap=moment, line=28.5, price=-110)])
    frame.write_parquet(tmp_path / "points_lines.parquet")
    assert FilesSource(tmp_path).prop_lines(DAY)["quoted_at"].to_list() == [moment]


def test_without_commence_time_the_moment_gives_the_eastern_date(tmp_path: Path) -> None:
    row = line_row(commence_time="", snap="2025-01-11T02:00:00Z")
    assert used(lines_source(tmp_path, row)) == ["28.5"]


def test_quotes_at_or_after_the_tipoff_are_dropped(tmp_path: Path) -> None:
    quoted = [
        *both(line="24.5", snap="2025-01-11T00:09:59Z"),
        *both(line="31.5", snap="2025-01-11T00:10:00Z"),
        *both(line="32.5", snap="2025-01-11T01:30:00Z"),
    ]
    source = lines_source(tmp_path, *quoted)
    assert used(source) == ["24.5"]
    assert account(source).dropped == {"after_tipoff": 4}


@pytest.mark.parametrize(
    ("commence", "tipoff"),
    [("2025-01-11T00:40:00Z", "2025-01-11T00:10:00Z"), ("2025-01-11T00:10:00Z", "")],
)
def test_the_earlier_tipoff_of_lines_and_schedule_counts(
    tmp_path: Path, commence: str, tipoff: str
) -> None:
    late = both(snap="2025-01-11T00:20:00Z", commence_time=commence)
    source = lines_source(tmp_path, *late, schedule=[game_row(tipoff=tipoff)])
    assert used(source) == []


def test_a_quote_that_may_be_in_play_does_not_replace_one_that_is_not(tmp_path: Path) -> None:
    before, on_the_day = both(line="24.5"), both(line="31.5", snap="01_11_2025")
    source = lines_source(tmp_path, *before, *on_the_day, *both(line="40.5", snap="01_12_2025"))
    assert used(source) == ["24.5"]
    assert account(source).dropped == {"after_tipoff": 2, "possibly_in_play": 2}


def test_a_quote_that_may_be_in_play_is_used_if_the_book_has_no_other(tmp_path: Path) -> None:
    other_book = both(line="24.5", bookmaker="DraftKings")
    source = lines_source(tmp_path, *other_book, *both(line="31.5", snap="01_11_2025"))
    assert used(source) == ["24.5", "31.5"]


def test_a_quote_of_the_day_of_an_afternoon_tipoff_replaces_that_of_the_day_before(
    tmp_path: Path,
) -> None:
    afternoon = {"commence_time": "2025-01-10T20:30:00Z"}
    yesterday = both(line="24.5", snap="01_09_2025", **afternoon)
    assert used(lines_source(tmp_path, *yesterday, *both(line="26.5", **afternoon))) == ["26.5"]


def test_a_moment_of_the_run_hides_later_quotes(tmp_path: Path) -> None:
    early = both(line="24.5", snap="2025-01-10T15:00:00Z")
    late = both(line="26.5", snap="2025-01-10T22:00:00Z")
    day_only = both(line="28.5", snap="01_11_2025", bookmaker="Other")
    source = lines_source(tmp_path, *early, *late, *day_only)
    assert used(source) == ["26.5", "28.5"]
    morning = source.known_at(datetime(2025, 1, 10, 16, tzinfo=timezone.utc))
    assert used(morning) == ["24.5"]
    assert account(morning).dropped == {"not_yet_known": 4}


def test_the_same_quote_again_is_superseded(tmp_path: Path) -> None:
    source = lines_source(tmp_path, *both(price="-110"), *both(price="-120"))
    assert source.prop_lines(DAY)["price"].to_list() == [-120, -120]
    found = account(source)
    assert (found.rows, found.used, found.superseded) == (4, 2, 2)


def test_an_identical_row_is_a_duplicate(tmp_path: Path) -> None:
    found = account(lines_source(tmp_path, *both(), *both()))
    assert (found.used, found.superseded, found.dropped) == (2, 0, {"duplicate": 2})


def test_rows_are_in_the_order_in_which_the_book_was_polled(tmp_path: Path) -> None:
    source = lines_source(tmp_path, *both(line="18.5"), *both(line="6.5", price="-102"))
    assert used(source) == ["6.5"]
    assert account(source).superseded == 2


@pytest.mark.parametrize(
    ("text", "price"), [("EVEN", 100), ("+150", 150), ("\u2212120", -120), ("", None)]
)
def test_a_price_may_be_written_in_several_ways(
    tmp_path: Path, text: str, price: int | None
) -> None:
    assert lines_source(tmp_path, line_row(price=text)).prop_lines(DAY)["price"].to_list() == [
        price
    ]


@pytest.mark.parametrize("price", ["0", "0.0", "OFF", "suspended"])
def test_a_suspended_line_is_counted_and_hides_the_older_one(tmp_path: Path, price: str) -> None:
    other = both(player="Trae Young")
    source = lines_source(tmp_path, *both(), *both(price=price), *other)
    assert source.prop_lines(DAY)["player_lookup"].unique().to_list() == ["traeyoung"]
    assert account(source).dropped == {"suspended": 2}


def test_a_suspended_row_may_lack_its_line(tmp_path: Path) -> None:
    source = lines_source(tmp_path, line_row(line="", price="0"), *both())
    assert used(source) == ["28.5"]
    assert account(source).dropped == {"suspended": 1}


@pytest.mark.parametrize("price", ["1.91", "2", "-99", "99.5"])
def test_decimal_odds_are_rejected_with_their_cause(tmp_path: Path, price: str) -> None:
    source = lines_source(tmp_path, *both(), line_row(price=price, line="30.5"))
    (rejected,) = account(source).rejected
    assert (rejected.row, rejected.column) == (3, "price")
    assert rejected.reason.startswith(f"{price} is not an American price, but may be decimal odds;")


def test_a_file_of_decimal_odds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match=r"row 1, column price: 1.91 .*decimal odds"):
        lines_source(tmp_path, *both(price="1.91"), *both(price="1.83") * 2).prop_lines(DAY)


def test_spellings_of_a_book_are_one_book(tmp_path: Path) -> None:
    spellings = ("draftkings", "DraftKings", "draft_kings", "DraftKings Sportsbook")
    rows = [row for book in spellings for row in both(bookmaker=book)]
    quoted = lines_source(tmp_path, *rows, *both(bookmaker="My Book")).prop_lines(DAY)
    assert quoted["book"].unique().sort().to_list() == ["draftkings", "mybook"]
    assert quoted["book_name"].unique().sort().to_list() == ["DraftKings Sportsbook", "My Book"]


def test_markets_are_dropped_by_label(tmp_path: Path) -> None:
    labels = ("player_rebounds", "player_points_alternate", "Player Points", "PTS", "PTS")
    source = lines_source(tmp_path, *both(), *(line_row(market=label) for label in labels))
    assert used(source) == ["28.5"]
    assert account(source).dropped == {
        "other_market": 2,
        "other_market: PTS": 2,
        "other_market: Player Points": 1,
    }


def test_rare_unknown_labels_are_counted_together(tmp_path: Path) -> None:
    rows = [line_row(market=f"label {n}") for n in range(100)]
    dropped = account(lines_source(tmp_path, *both(), *rows)).dropped
    assert (len(dropped), sum(dropped.values())) == (21, 100)


@pytest.mark.parametrize("column", ["line_kind", "odds_type"])
@pytest.mark.parametrize("kind", ["demon", "goblin", "Alternate"])
def test_only_standard_lines_count(tmp_path: Path, column: str, kind: str) -> None:
    rows = [
        line_row(bookmaker="PrizePicks", price="", **{column: of, "line": line})
        for of, line in (("Standard", "24.5"), (kind, "30.5"), ("", "25.0"))
    ]
    source = lines_source(tmp_path, *rows)
    assert used(source) == ["24.5", "25.0"]
    assert account(source).dropped == {f"line_kind: {kind.lower()}": 1}


def test_lines_of_all_star_teams_are_dropped(tmp_path: Path) -> None:
    rows = both(home_team="Team LeBron", away_team="Team Giannis")
    source = lines_source(tmp_path, *both(), *rows)
    assert account(source).dropped == {"all_star": 2}


@pytest.mark.parametrize("tipoff", ["", "2025-01-11T05:10:00Z"])
@pytest.mark.parametrize("home", ["Atlanta Hawks", "Dallas Mavericks"])
def test_a_line_of_a_delayed_game_finds_the_game_of_the_day_before(
    tmp_path: Path, tipoff: str, home: str
) -> None:
    away = "Dallas Mavericks" if home == "Atlanta Hawks" else "Atlanta Hawks"
    rows = both(commence_time="2025-01-11T05:10:00Z", home_team=home, away_team=away)
    source = lines_source(tmp_path, *rows, schedule=[game_row(tipoff=tipoff)])
    quoted = source.prop_lines(DAY)
    assert quoted["game_id"].to_list() == ["20250110_DAL_ATL"] * 2
    assert quoted["game_date"].to_list() == [DAY] * 2
    assert account(source).used == 2
    assert source.prop_lines(NEXT_DAY).is_empty()


@pytest.mark.parametrize(
    ("commence", "day"),
    [
        ("2025-01-11T00:10:00Z", DAY),
        ("2025-01-11T05:10:00Z", DAY),
        ("2025-01-11T20:00:00Z", NEXT_DAY),
        ("2025-01-12T00:10:00Z", NEXT_DAY),
        ("2025-01-12T05:10:00Z", NEXT_DAY),
    ],
)
def test_of_two_games_of_the_same_teams_the_nearer_tipoff_counts(
    tmp_path: Path, commence: str, day: date
) -> None:
    second = game_row(game_date="2025-01-11", tipoff="2025-01-12T00:10:00Z")
    rows = both(commence_time=commence)
    source = lines_source(tmp_path, *rows, schedule=[game_row(), second])
    assert {d: len(used(source, d)) for d in (DAY, NEXT_DAY)} == {
        d: int(d == day) for d in (DAY, NEXT_DAY)
    }


def test_a_line_without_a_scheduled_game_keeps_its_own_date(tmp_path: Path) -> None:
    source = lines_source(
        tmp_path, *both(commence_time="2025-01-12T00:10:00Z"), schedule=[game_row()]
    )
    assert source.prop_lines(DAY).is_empty()
    assert source.prop_lines(NEXT_DAY)["game_id"].to_list() == ["20250111_DAL_ATL"] * 2


_TIMES = st.sampled_from(
    ["01_09_2025", "01_10_2025", "01_11_2025", "2025-01-10T15:00:00Z", "2025-01-10T22:00:00Z"]
)
_ROWS = st.builds(
    line_row,
    snap=_TIMES,
    bookmaker=st.sampled_from(["DraftKings", "draftkings", "PrizePicks"]),
    side=st.sampled_from(["Over", "Under"]),
    line=st.sampled_from(["18.5", "24.5", "25.0"]),
    price=st.sampled_from(["-110", "150", "", "0", "20000", "1.91"]),
    market=st.sampled_from(["player_points", "player_rebounds", "Points"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=12))
def test_every_row_of_lines_is_accounted_for_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    source = lines_source(tmp_path_factory.mktemp("lines"), *rows)
    try:
        quoted = source.prop_lines(DAY)
    except SourceDataError:
        assert any(row["price"] == "1.91" for row in rows)
        return
    found = account(source)
    assert found.used == quoted.height
    assert found.rows == len(rows)
    left_out = found.superseded + len(found.rejected) + sum(found.dropped.values())
    assert found.used + left_out == len(rows)
    key = ["player_lookup", "book", "side", "line"]
    assert not quoted.select(key).is_duplicated().any()
