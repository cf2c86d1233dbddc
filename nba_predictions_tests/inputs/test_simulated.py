"""The simulated league: calendar, rosters, box scores, lines and injuries; and its file formats."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import EASTERN, TEAM_ALIASES, TEAM_NAMES
from nba_predictions.domain.league.players import player_lookup
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, SCHEDULE, LeagueSource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.inputs.simulated_calendar import make_calendar, season_days
from nba_predictions.inputs.simulated_frames import BOOKS
from nba_predictions.inputs.simulated_names import NAMES, TEAMS, player_name
from nba_predictions_tests.leagues import full_slate_dates, write_files

SEASON = "2025-26"
NIGHT = date(2026, 1, 15)


@pytest.fixture(scope="module")
def league() -> SimulatedLeague:
    return SimulatedLeague()


@pytest.fixture(scope="module")
def log(league: SimulatedLeague) -> pl.DataFrame:
    return league.league_game_log(SEASON)


def test_the_simulated_league_is_a_league_source(league: SimulatedLeague) -> None:
    source: LeagueSource = league
    assert source.name == "simulated"


def test_the_first_date_has_games_and_a_season_before_it(league: SimulatedLeague) -> None:
    assert league.first_date == date(2024, 10, 22)
    assert len(league.schedule(league.first_date)) > 0
    assert len(league.game_logs(before=league.first_date)) > 0


def test_frames_have_the_schemas_of_the_port(league: SimulatedLeague) -> None:
    for day in (NIGHT, date(2025, 12, 24), date(2026, 8, 1), date(1980, 1, 1)):
        assert dict(league.game_logs(day).schema) == GAME_LOGS
        assert dict(league.box_scores(day).schema) == GAME_LOGS
        assert dict(league.schedule(day).schema) == SCHEDULE
        assert dict(league.prop_lines(day).schema) == PROP_LINES
        assert dict(league.injuries(day).schema) == INJURIES


def test_names_are_unique_and_exercise_normalization() -> None:
    names = [player_name(n) for n in range(NAMES)]
    assert len({player_lookup(name) for name in names}) == NAMES
    for trait in ("-", "'", " Jr.", " III", "é", "."):
        assert any(trait in name for name in names)


def test_teams_differ_from_those_of_the_nba() -> None:
    abbreviations = {abbreviation for abbreviation, _ in TEAMS}
    assert len(abbreviations) == 30
    assert all(len(a) == 3 for a in abbreviations)
    assert not abbreviations & ({*TEAM_NAMES.values(), *TEAM_ALIASES})


@settings(max_examples=25, deadline=None)
@given(st.integers(1996, 2059), st.integers(0, 2**40))
def test_the_calendar_has_82_games_per_team_and_five_full_slates(year: int, seed: int) -> None:
    calendar = make_calendar(year, np.random.default_rng(seed))
    games = np.bincount(calendar.day)
    assert len(calendar.day) == 1230
    assert (np.bincount(calendar.home) == 41).all()
    assert (np.bincount(calendar.away) == 41).all()
    assert set(games.tolist()) <= {5, 6, 7, 8, 9, 15}
    full = [calendar.days[d] for d in np.flatnonzero(games == 15)]
    assert full == list(calendar.full_slates) == season_days(year)[1]
    assert len(full) == 5
    sides = np.concatenate(
        [np.stack([calendar.day, t], axis=1) for t in (calendar.home, calendar.away)]
    )
    assert len(np.unique(sides, axis=0)) == len(sides), "a team plays at most once a day"
    assert date(year, 12, 24) not in calendar.days
    assert calendar.days[0].month == 10
    assert calendar.days[-1].month == 4


def test_a_night_has_six_to_nine_games_in_the_evening(league: SimulatedLeague) -> None:
    games = league.schedule(NIGHT)
    assert 6 <= games.height <= 9
    local = games["tipoff"].dt.convert_time_zone(EASTERN.key)
    assert (local.dt.date() == NIGHT).all()
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    assert minute.is_between(19 * 60, 22 * 60 + 30).all()
    for off in (date(2025, 12, 24), date(2026, 2, 15), date(2026, 7, 1)):
        assert league.schedule(off).is_empty()


def test_box_scores_are_consistent(log: pl.DataFrame) -> None:
    c = pl.col
    identities = {
        "points": c("PTS") == 2 * (c("FGM") - c("FG3M")) + 3 * c("FG3M") + c("FTM"),
        "rebounds": c("REB") == c("OREB") + c("DREB"),
        "made": (c("FGM") <= c("FGA")) & (c("FG3M") <= c("FG3A")) & (c("FTM") <= c("FTA")),
        "threes": (c("FG3M") <= c("FGM")) & (c("FG3A") <= c("FGA")),
        "twos": c("FGM") - c("FG3M") <= c("FGA") - c("FG3A"),
        "fouls": c("PF") <= 6,
        "minutes": c("MIN") > 0,
        "percentage": (c("FGA") == 0) == c("FG_PCT").is_null(),
    }
    for name, identity in identities.items():
        assert log.select(identity.all()).item(), name


def test_games_have_two_teams_and_one_winner(log: pl.DataFrame) -> None:
    teams = log.group_by("GAME_ID", "TEAM_ABBREVIATION").agg(
        pl.col("PTS", "MIN").sum(), pl.col("WL").unique(), pl.len()
    )
    assert teams.height == 2460
    assert teams["WL"].list.len().max() == 1
    assert teams.select(pl.col("MIN").is_between(235, 270).all()).item()
    assert 238 < teams["MIN"].mean() < 244  # type: ignore[operator]
    assert teams["len"].min() >= 8  # type: ignore[operator]
    for _, game in teams.group_by("GAME_ID"):
        winner, loser = game.sort("PTS", descending=True).iter_rows(named=True)
        assert winner["PTS"] > loser["PTS"]
        assert (winner["WL"], loser["WL"]) == (["W"], ["L"])


def test_statistics_are_realistic(log: pl.DataFrame) -> None:
    assert 10 < log["PTS"].mean() < 11  # type: ignore[operator]
    assert 8 < log["PTS"].std() < 9  # type: ignore[operator]
    assert 45 <= log["PTS"].max() <= 80  # type: ignore[operator]
    assert 25_000 < log.height < 29_000
    regulars = (
        log.group_by("TEAM_ABBREVIATION", "PLAYER_ID")
        .agg(pl.col("MIN").mean(), pl.len())
        .filter((pl.col("MIN") > 15) & (pl.col("len") >= 30))
        .group_by("TEAM_ABBREVIATION")
        .len()
    )
    assert regulars["len"].is_between(7, 11).all()
    home = log.filter(pl.col("MATCHUP").str.contains("vs.", literal=True))["PTS"].sum()
    assert home > log["PTS"].sum() / 2


def test_seasons_have_rookies_and_trades(league: SimulatedLeague) -> None:
    this, last = league.league_game_log(SEASON), league.league_game_log("2024-25")
    ids = set(this["PLAYER_ID"]), set(last["PLAYER_ID"])
    assert 20 < len(ids[0] - ids[1]) < 150
    assert len(ids[0] & ids[1]) > 250
    moved = this.group_by("PLAYER_ID").agg(pl.col("TEAM_ABBREVIATION").n_unique())
    assert 4 <= (moved["TEAM_ABBREVIATION"] == 2).sum() <= 12


@pytest.mark.parametrize("other", [date(2025, 11, 20), date(2026, 4, 12), date(2031, 1, 20)])
def test_results_do_not_depend_on_earlier_calls(other: date) -> None:
    methods: list[Callable[[SimulatedLeague, date], pl.DataFrame]] = [
        SimulatedLeague.prop_lines,
        SimulatedLeague.injuries,
        SimulatedLeague.schedule,
        SimulatedLeague.box_scores,
        SimulatedLeague.game_logs,
    ]
    fresh, used = SimulatedLeague(7), SimulatedLeague(7)
    for method in methods:
        method(used, other)
    for method in reversed(methods):
        assert method(fresh, NIGHT).equals(method(used, NIGHT))


def test_different_seeds_generate_different_leagues() -> None:
    assert not SimulatedLeague(1).box_scores(NIGHT).equals(SimulatedLeague(2).box_scores(NIGHT))


def test_history_ends_before_the_date(league: SimulatedLeague) -> None:
    logs = league.game_logs(NIGHT)
    assert logs["game_date"].is_sorted()
    assert logs["game_date"].max() == NIGHT - timedelta(days=1)
    assert set(logs["season"]) == {"2024-25", SEASON}
    longer = SimulatedLeague(seasons_of_history=2).game_logs(NIGHT)
    assert set(longer["season"]) == {"2023-24", "2024-25", SEASON}
    assert longer.filter(pl.col("season") != "2023-24").equals(logs)
    tomorrow = league.game_logs(NIGHT + timedelta(days=1))
    assert tomorrow.filter(pl.col("game_date") == NIGHT).equals(league.box_scores(NIGHT))


def test_quotes_of_a_night_are_valid(league: SimulatedLeague) -> None:
    lines = league.prop_lines(NIGHT)
    games = league.schedule(NIGHT)
    assert set(lines["book_name"]) == set(BOOKS)
    assert set(lines["line_source"]) == {"sportsbook"}
    assert set(lines["home_team"]) == set(games["home_team"])
    sides = lines.group_by("player_lookup", "book", "line").agg(pl.col("side").sort())
    assert sides["side"].to_list() == [["Over", "Under"]] * sides.height
    assert (lines["price"].abs() >= 100).all()
    whole = lines["line"].cast(pl.Float64) % 1 == 0
    assert 0 < whole.sum() < lines.height / 3
    out = league.injuries(NIGHT).filter(pl.col("status").is_in(["OUT", "DOUBTFUL"]))
    assert not set(out["player_lookup"]) & set(lines["player_lookup"])
    assert lines["player_lookup"].n_unique() < 15 * games.height * 2 * 0.7


def test_all_players_have_a_line_on_a_full_slate() -> None:
    league = SimulatedLeague(line_share=1.0)
    for day in full_slate_dates(SEASON):
        lines = league.prop_lines(day)
        assert lines["player_lookup"].n_unique() == 450
        assert set(lines["player_lookup"]) <= set(league.game_logs(day)["player_lookup"])
        assert league.injuries(day).is_empty()


def test_a_line_share_of_zero_gives_no_lines() -> None:
    assert SimulatedLeague(line_share=0.0).prop_lines(NIGHT).is_empty()


def test_players_reported_out_do_not_play(league: SimulatedLeague) -> None:
    season = league.league_injuries(SEASON)
    played = league.league_game_log(SEASON).select(
        pl.col("GAME_DATE").alias("game_date"), pl.col("PLAYER_NAME").alias("player")
    )
    plays = season.join(played, on=["game_date", "player"], how="semi")["status"].value_counts()
    counts = dict(plays.iter_rows())
    assert "OUT" not in counts
    reported = dict(season["status"].value_counts().iter_rows())
    assert counts["DOUBTFUL"] < 0.5 * reported["DOUBTFUL"]
    assert 0.5 * reported["QUESTIONABLE"] < counts["QUESTIONABLE"] < reported["QUESTIONABLE"]


def test_lines_are_unbiased_and_independent_of_the_outcome(league: SimulatedLeague) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(60)]
    quotes = pl.concat([league.prop_lines(d) for d in days]).filter(
        (pl.col("side") == "Over") & (pl.col("book_name") == BOOKS[0])
    )
    scores = pl.concat([league.box_scores(d) for d in days])
    graded = quotes.join(scores, on=["game_date", "player_lookup"])
    error = graded["points"] - graded["line"].cast(pl.Float64)
    assert graded.height > 4000
    # The points deviate from the line as much as from the players' true expectation.
    assert 3.5 < error.abs().mean() < 5.5  # type: ignore[operator]
    assert 0.45 < (error > 0).mean() < 0.55  # type: ignore[operator]
    # The difference between the books' lines does not predict the result.
    other = pl.concat([league.prop_lines(d) for d in days]).filter(
        (pl.col("side") == "Over") & (pl.col("book_name") == BOOKS[1])
    )
    keys = ["game_date", "player_lookup"]
    both = graded.join(other.select(*keys, pl.col("line").alias("second")), on=keys)
    middle = (pl.col("line").cast(pl.Float64) + pl.col("second").cast(pl.Float64)) / 2
    difference = pl.col("line").cast(pl.Float64) - pl.col("second").cast(pl.Float64)
    assert abs(both.select(pl.corr(difference, pl.col("points") - middle)).item()) < 0.05


def test_written_files_are_read_back_as_the_same_frames(tmp_path: Path) -> None:
    league = SimulatedLeague(seed=11)
    write_files(league, tmp_path, ["2024-25", SEASON])
    files = FilesSource(tmp_path)
    for day in (NIGHT, date(2025, 10, 21), date(2026, 4, 12), date(2025, 12, 24)):
        assert files.game_logs(day).equals(league.game_logs(day))
        assert files.box_scores(day).equals(league.box_scores(day))
        assert files.schedule(day).equals(league.schedule(day))
        assert files.prop_lines(day).equals(league.prop_lines(day))
        assert files.injuries(day).equals(league.injuries(day))
    for account in files.accounts(NIGHT):
        assert (account.superseded, account.rejected) == (0, ())
        assert set(account.dropped) <= {"other_dates"}


def test_files_can_be_limited_to_some_dates(tmp_path: Path) -> None:
    league = SimulatedLeague(seed=11)
    paths = write_files(league, tmp_path, [SEASON], logs_before=NIGHT, dates=[NIGHT])
    assert sorted(p.name.split("_2025")[0] for p in paths) == [
        "injuries",
        "player_game_logs",
        "points_lines",
        "schedule",
    ]
    files = FilesSource(tmp_path)
    assert files.box_scores(NIGHT).is_empty()
    assert files.prop_lines(NIGHT).equals(league.prop_lines(NIGHT))
    assert files.prop_lines(NIGHT + timedelta(days=1)).is_empty()


@pytest.mark.parametrize("per_team", [8, 10, 20])
def test_teams_may_have_8_to_20_players(per_team: int) -> None:
    league = SimulatedLeague(players_per_team=per_team, line_share=1.0, seasons_of_history=0)
    day = full_slate_dates(SEASON)[2]
    assert league.prop_lines(day)["player_lookup"].n_unique() == 30 * per_team
    minutes = league.box_scores(day).group_by("team").agg(pl.col("minutes").sum())
    assert minutes["minutes"].is_between(230, 275).all()
    assert league.game_logs(day)["minutes"].max() <= 53  # type: ignore[operator]


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"players_per_team": 7}, {"line_share": 1.1}, {"seasons_of_history": -1}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SimulatedLeague(**wrong)


@pytest.mark.parametrize("season", ["2025", "2025-27", "25-26", "1990-91"])
def test_an_invalid_or_unknown_season_is_refused(league: SimulatedLeague, season: str) -> None:
    with pytest.raises(ValueError, match="season"):
        league.league_game_log(season)


def test_books_have_independent_lines(league: SimulatedLeague) -> None:
    lines = league.prop_lines(NIGHT).filter(pl.col("side") == "Over")
    by_book = [lines.filter(pl.col("book_name") == book)["line"].to_list() for book in BOOKS]
    assert all(one != two for one, two in combinations(by_book, 2))
