from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.betting.lines import Quote
from nba_predictions.domain.betting.slate import (
    ABSENCE_GAMES,
    MIN_RECENT_MINUTES,
    SEASON_GRACE_GAMES,
    Game,
    PlayerForm,
    PlayerMarket,
    PlayerQuote,
    Reported,
    Skip,
    Slate,
    SlatePlayer,
    Unmatched,
    build_slate,
    games_begun,
    slate_as_of,
)
from nba_predictions.domain.market import POINTS
from nba_predictions_tests.examples import GAME_DATE, NOON, SECOND, game

GAMES = (game("PHI", "DAL"), game("BOS", "LAL"))


def form(lookup: str = "paulgeorge", team: str = "PHI", **changed: Any) -> PlayerForm:
    values: dict[str, Any] = {"games": 40, "recent_minutes": 33.0, "team_games_missed": 0}
    return PlayerForm(lookup, lookup.title(), team, **{**values, **changed})


def quote(
    lookup: str = "paulgeorge", away: str = "PHI", home: str = "DAL", line: str = "22.5"
) -> PlayerQuote:
    return PlayerQuote(
        *(lookup, lookup, away, home, POINTS.name),
        Quote("book", "Over", Decimal(line), -110, "sportsbook"),
    )


def points(player: SlatePlayer) -> PlayerMarket:
    return player.market(POINTS.name)


def slate(
    forms: Sequence[PlayerForm] = (form(),),
    quotes: Sequence[PlayerQuote] = (),
    injuries: Mapping[str, str] | None = None,
    games: Sequence[Game] = GAMES,
) -> Slate:
    """Build a slate from both sides of `quotes`."""
    both = [
        replace(q, quote=replace(q.quote, side=side)) for q in quotes for side in ("Over", "Under")
    ]
    return build_slate(GAME_DATE, games, forms, both, report(injuries or {}))


def report(statuses: Mapping[str, str], team: str | None = None) -> list[Reported]:
    return [Reported(lookup, lookup.title(), status, team) for lookup, status in statuses.items()]


def names(built: Slate) -> list[str]:
    return [p.player_lookup for p in built.players]


def test_a_regular_with_a_line_is_on_the_slate_with_all_that_is_known() -> None:
    (player,) = slate(quotes=[quote()]).players
    assert player.game_id == "20260101_PHI_DAL"
    assert (player.team, player.opponent, player.is_home) == ("PHI", "DAL", False)
    market = points(player)
    assert (market.base_line, market.line_source, market.books) == (
        Decimal("22.5"),
        "sportsbook",
        1,
    )


def test_the_home_team_is_at_home() -> None:
    (player,) = slate([form("lukadoncic", "DAL")]).players
    assert (player.team, player.opponent, player.is_home) == ("DAL", "PHI", True)


def test_minutes_without_a_line_are_enough_and_no_line_is_invented() -> None:
    (player,) = slate().players
    assert player.markets == (PlayerMarket("points", None, "none", 0),)


def test_a_line_without_minutes_is_enough() -> None:
    bench = form(recent_minutes=4.0, team_games_missed=30, season_games_missed=30)
    assert names(slate([bench], [quote()])) == ["paulgeorge"]


@pytest.mark.parametrize(
    ("changed", "plays"),
    [
        ({"recent_minutes": MIN_RECENT_MINUTES}, True),
        ({"recent_minutes": MIN_RECENT_MINUTES - 0.1}, False),
        ({"team_games_missed": ABSENCE_GAMES - 1}, True),
        ({"team_games_missed": ABSENCE_GAMES}, False),
        ({"season_games_missed": SEASON_GRACE_GAMES - 1}, True),
        ({"season_games_missed": SEASON_GRACE_GAMES}, False),
    ],
)
def test_without_a_line_only_regulars_are_expected(changed: dict[str, Any], plays: bool) -> None:
    built = slate([form(**changed)])
    assert names(built) == (["paulgeorge"] if plays else [])
    assert built.skips == ()


def test_a_player_whose_team_does_not_play_is_not_on_the_slate() -> None:
    assert slate([form(team="MIA")]).expected == 0


@pytest.mark.parametrize("status", ["OUT", "DOUBTFUL", "out"])
@pytest.mark.parametrize("quotes", [[], [quote()]], ids=["no line", "line"])
def test_out_and_doubtful_are_skipped_with_the_reason(
    status: str, quotes: list[PlayerQuote]
) -> None:
    built = slate(quotes=quotes, injuries={"paulgeorge": status})
    assert built.players == ()
    assert built.skips == (Skip("paulgeorge", f"injury_report: {status.upper()}"),)
    assert built.expected == 1


def test_the_slate_knows_who_is_absent_and_who_is_only_unknown() -> None:
    built = slate(
        [form(), form("lukadoncic", "DAL")], [quote("somerookie")], {"lukadoncic": "DOUBTFUL"}
    )
    assert {s.player_lookup for s in built.skips} == {"lukadoncic", "somerookie"}
    assert built.absent == {"lukadoncic"}


@pytest.mark.parametrize("status", ["QUESTIONABLE", "PROBABLE", "AVAILABLE"])
def test_who_may_play_stays(status: str) -> None:
    assert names(slate(injuries={"paulgeorge": status})) == ["paulgeorge"]


def test_an_injured_player_who_was_not_expected_is_no_skip() -> None:
    built = slate([form(team_games_missed=40)], injuries={"paulgeorge": "OUT"})
    assert built.expected == 0


def test_an_injury_report_knows_players_by_their_nickname_too() -> None:
    built = slate([form("nicolasclaxton")], injuries={"nicclaxton": "OUT"})
    assert [s.player_lookup for s in built.skips] == ["nicolasclaxton"]


def test_a_book_knows_players_by_their_nickname() -> None:
    (player,) = slate([form("nicolasclaxton")], [quote("nicclaxton")]).players
    assert player.player_lookup == "nicolasclaxton"
    assert points(player).base_line == Decimal("22.5")


def test_a_name_nobody_knows_is_skipped_with_a_reason() -> None:
    built = slate(quotes=[quote(), quote("somerookie"), quote("somerookie", line="9.5")])
    assert names(built) == ["paulgeorge"]
    assert built.skips == (Skip("somerookie", "unknown_player: no box score has this name"),)

    assert built.unmatched == (Unmatched("points_lines", "somerookie"),)


def test_a_name_that_fits_two_players_of_the_game_is_unmatched_and_names_both() -> None:
    forms = [form("johnsmithjr", "PHI"), form("johnsmithiii", "DAL")]
    built = slate(forms, [quote("johnsmith")], {"johnsmith": "OUT"})
    assert [points(p).base_line for p in built.players] == [None, None]
    assert built.skips == ()
    assert [(u.kind, u.name) for u in built.unmatched] == [
        ("injuries", "Johnsmith (johnsmithiii or johnsmithjr)"),
        ("points_lines", "johnsmith (johnsmithiii or johnsmithjr)"),
    ]


def test_a_line_is_for_the_player_of_the_game_and_not_for_one_elsewhere() -> None:
    forms = [form("garypayton", "MIA"), form("garypaytonii", "DAL")]
    (player,) = slate(forms, [quote("garypayton")]).players
    assert (player.player_lookup, points(player).books) == ("garypaytonii", 1)


def test_an_active_player_comes_before_one_who_has_stopped() -> None:
    forms = [
        form("johnsmith", "MIA", last_played=date(2003, 4, 1)),
        form("johnsmithjr", "MIA", last_played=date(2025, 12, 30)),
    ]
    (player,) = slate(forms, [quote("johnsmith")]).players
    assert player.player_lookup == "johnsmithjr"


def test_a_book_may_know_a_player_by_a_former_name() -> None:
    renamed = form("enesfreedom", former_names=frozenset({"eneskanter"}))
    (player,) = slate([renamed], [quote("eneskanter")]).players
    assert points(player).base_line == Decimal("22.5")


def test_the_team_in_the_report_tells_two_players_of_one_name_apart() -> None:
    forms = [
        replace(form("chrisjohnson", "PHI"), player_name="Chris Johnson"),
        replace(form("chrisjohnson203187", "DAL"), player_name="Chris Johnson"),
    ]
    out = report({"chrisjohnson": "OUT"}, team="DAL")
    built = build_slate(GAME_DATE, GAMES, forms, [], out)
    assert (names(built), built.skips[0].player_lookup) == (["chrisjohnson"], "chrisjohnson203187")
    assert built.unmatched == ()


@pytest.mark.parametrize(
    ("lookup", "team", "unmatched"),
    [
        ("somerookie", None, True),
        ("somerookie", "PHI", True),
        ("somerookie", "MIA", False),  # Miami does not play
        ("jimmybutler", None, False),  # known, and does not play on the date
        ("jimmybutler", "MIA", False),
    ],
)
def test_a_reported_name_without_a_player_is_unmatched_if_the_team_plays(
    lookup: str, team: str | None, unmatched: bool
) -> None:
    forms = [form(), form("jimmybutler", "MIA")]
    built = build_slate(GAME_DATE, GAMES, forms, [], report({lookup: "OUT"}, team))
    expected = (Unmatched("injuries", lookup.title()),) if unmatched else ()
    assert built.unmatched == expected
    assert names(built) == ["paulgeorge"]


def test_the_last_status_of_a_player_counts() -> None:
    entries = report({"nicclaxton": "OUT"}) + report({"nicolasclaxton": "AVAILABLE"})
    claxton = form("nicolasclaxton")
    assert names(build_slate(GAME_DATE, GAMES, [claxton], [], entries)) == ["nicolasclaxton"]
    assert names(build_slate(GAME_DATE, GAMES, [claxton], [], entries[::-1])) == []


def test_a_status_from_after_the_tipoff_of_the_game_does_not_count() -> None:
    early = datetime(2026, 1, 2, 0, tzinfo=timezone.utc)
    late = early + timedelta(hours=2)
    games = [replace(GAMES[0], tipoff=early), replace(GAMES[1], tipoff=late)]
    forms = [form("paulgeorge", "PHI"), form("lebronjames", "LAL")]
    entries = [
        replace(entry, observed_at=early + timedelta(hours=hours))
        for hours, status in ((-3, "OUT"), (1, "AVAILABLE"))
        for entry in report({"paulgeorge": status, "lebronjames": status})
    ]
    built = build_slate(GAME_DATE, games, forms, [], entries)
    assert names(built) == ["lebronjames"]
    assert built.absent == {"paulgeorge"}


def test_considered_quotes_and_unmatched_names_do_not_change_the_fingerprint() -> None:
    built = slate(quotes=[quote()])
    (player,) = built.players
    assert [(q.side, q.line) for q in points(player).quotes] == [
        ("Over", Decimal("22.5")),
        ("Under", Decimal("22.5")),
    ]
    market = replace(points(player), quotes=())
    bare = replace(built, players=(replace(player, markets=(market,)),))
    assert bare.fingerprint() == built.fingerprint()
    named = replace(built, unmatched=(Unmatched("injuries", "Some Rookie"),))
    assert named.fingerprint() == built.fingerprint()


def test_a_line_in_another_game_decides_the_game_and_no_side() -> None:
    traded = form("lukadoncic", "DAL")
    (player,) = slate([traded], [quote("lukadoncic", "BOS", "LAL")]).players
    assert player.game_id == "20260101_BOS_LAL"
    assert (player.team, player.opponent, player.is_home) == (None, None, None)


def test_a_line_puts_a_player_on_the_slate_whose_old_team_does_not_play() -> None:
    (player,) = slate([form("lukadoncic", "MIA")], [quote("lukadoncic", "BOS", "LAL")]).players
    assert (player.game_id, player.team) == ("20260101_BOS_LAL", None)


def test_lines_in_two_games_leave_a_player_with_his_team() -> None:
    both = [quote("lukadoncic", "BOS", "LAL"), quote("lukadoncic", "PHI", "DAL")]
    (player,) = slate([form("lukadoncic", "DAL")], both).players
    assert (player.game_id, player.team) == ("20260101_PHI_DAL", "DAL")


def test_a_line_for_another_game_does_not_move_the_base_line() -> None:
    both = [
        quote("lukadoncic", "BOS", "LAL", line="10.5"),
        PlayerQuote(
            "lukadoncic",
            "Luka",
            "PHI",
            "DAL",
            POINTS.name,
            Quote("other", "Over", Decimal("28.5"), -110, "sportsbook"),
        ),
    ]
    (player,) = slate([form("lukadoncic", "DAL")], both).players
    assert (points(player).base_line, points(player).books) == (Decimal("28.5"), 1)


def test_quotes_for_a_game_that_is_not_on_are_counted_and_not_used() -> None:
    built = slate(quotes=[quote(away="MIA", home="NYK")] * 2)
    assert built.quotes_off_slate == 4
    assert [points(p).base_line for p in built.players] == [None]


def test_a_date_without_games_has_an_empty_slate() -> None:
    built = slate(quotes=[quote()], injuries={"paulgeorge": "OUT"}, games=())
    assert (built.games, built.players, built.skips, built.expected) == ((), (), (), 0)


def test_the_order_of_what_comes_in_changes_nothing() -> None:
    forms = [form("paulgeorge"), form("lukadoncic", "DAL"), form("jaysontatum", "BOS")]
    quotes = [quote("lukadoncic"), quote("paulgeorge"), quote("somerookie")]
    there = slate(forms, quotes)
    back = slate(forms[::-1], quotes[::-1], games=GAMES[::-1])
    assert there == back
    assert there.fingerprint() == back.fingerprint()
    assert names(there) == sorted(names(there))


@pytest.mark.parametrize(
    "other",
    [
        slate(quotes=[quote(line="23.5")]),
        slate(quotes=[quote()], injuries={"paulgeorge": "OUT"}),
        slate(quotes=[quote()], games=GAMES[:1]),
        slate([form(), form("lukadoncic", "DAL")], [quote()]),
        build_slate(date(2026, 1, 2), [game(on=date(2026, 1, 2))], [form()], [quote()], []),
    ],
    ids=["line moved", "injured", "game postponed", "one more player", "next day"],
)
def test_another_slate_has_another_fingerprint(other: Slate) -> None:
    assert slate(quotes=[quote()]).fingerprint() != other.fingerprint()


_LOOKUPS = st.sampled_from(
    ["paulgeorge", "lukadoncic", "nicclaxton", "nicolasclaxton", "jarenjackson", "jarenjacksonjr"]
)
_TEAMS = st.sampled_from(["PHI", "DAL", "BOS", "LAL", "MIA"])
_FORMS = st.builds(
    form,
    _LOOKUPS,
    _TEAMS,
    recent_minutes=st.sampled_from([3.0, 30.0]),
    team_games_missed=st.sampled_from([0, 50]),
)
_QUOTES = st.builds(
    lambda lookup, of: quote(lookup, of.away_team, of.home_team),
    _LOOKUPS,
    st.sampled_from([*GAMES, game("MIA", "NYK")]),
)


@settings(max_examples=200)
@given(
    st.lists(_FORMS, max_size=6),
    st.lists(_QUOTES, max_size=8),
    st.dictionaries(_LOOKUPS, st.sampled_from(["OUT", "QUESTIONABLE"]), max_size=4),
)
def test_nobody_is_both_predicted_and_skipped_and_nobody_counts_twice(
    forms: list[PlayerForm], quotes: list[PlayerQuote], injuries: dict[str, str]
) -> None:
    built = slate(forms, quotes, injuries)
    everybody = names(built) + [s.player_lookup for s in built.skips]
    assert len(set(everybody)) == len(everybody) == built.expected
    assert all(s.reason for s in built.skips)
    for player in built.players:
        known = (player.team is None, player.opponent is None, player.is_home is None)
        assert len(set(known)) == 1
        market = points(player)
        assert (market.base_line is None) == (market.books == 0) == (market.line_source == "none")
        assert player.game_id in {g.game_id for g in built.games}


# --- player_id


def test_a_player_has_the_id_of_the_box_scores_which_no_hash_contains() -> None:
    (player,) = slate([form(player_id=7)]).players
    assert player.player_id == 7
    assert player.hashed_values() == slate().players[0].hashed_values()
    assert slate([form(player_id=7)]).fingerprint() == slate().fingerprint()


# --- games that have begun

EARLY = replace(GAMES[0], tipoff=NOON)
LATE = replace(GAMES[1], tipoff=NOON + timedelta(hours=2))
#: Two players to predict, one who is out, and one whose line has no box score, for each game.
FORMS = [
    *(form(name, "PHI") for name in ("philone", "philtwo")),
    *(form(name, "BOS") for name in ("bosone", "bostwo")),
]
QUOTES = [quote("nobodyphi"), quote("nobodybos", "BOS", "LAL"), quote("bosone", "BOS", "LAL")]


def slate_at(
    moment: datetime, games: Sequence[Game] = (EARLY, LATE), *, begun_games: bool = False
) -> Slate:
    def build(chosen: Sequence[Game]) -> Slate:
        return slate(FORMS, QUOTES, {"philtwo": "OUT", "bostwo": "OUT"}, chosen)

    return slate_as_of(build, games, moment, begun_games=begun_games)


def test_a_game_begins_at_its_tip_off_if_that_is_known() -> None:
    games = (EARLY, GAMES[1])
    assert games_begun(games, NOON - SECOND) == set()
    assert games_begun(games, NOON) == {EARLY.game_id}
    assert games_begun(games, NOON + timedelta(hours=9)) == {EARLY.game_id}


def test_before_the_first_tip_off_a_slate_is_whole() -> None:
    moment = NOON - SECOND
    assert slate_at(moment) == replace(
        slate(FORMS, QUOTES, {"philtwo": "OUT", "bostwo": "OUT"}, (EARLY, LATE)), as_of=moment
    )


def test_nobody_of_a_game_that_has_begun_is_on_the_slate() -> None:
    built = slate_at(NOON)
    assert built.begun == {EARLY.game_id}
    assert built.open_games == (LATE,)
    assert set(built.games) == {EARLY, LATE}
    assert names(built) == ["bosone"]
    assert [skip.player_lookup for skip in built.skips] == ["bostwo", "nobodybos"]
    assert built.left_alone == ("nobodyphi", "philone", "philtwo")
    assert built.expected == 3
    assert built.quotes_off_slate == 0


def test_when_all_games_have_begun_nobody_is_on_the_slate() -> None:
    built = slate_at(NOON + timedelta(hours=3))
    assert (built.open_games, built.players, built.skips) == ((), (), ())
    assert built.begun == {EARLY.game_id, LATE.game_id}


def test_a_player_whose_line_names_a_game_that_has_begun_is_left_alone() -> None:
    # The line shows that the player was traded from BOS to one of the teams of the first game.
    def build(chosen: Sequence[Game]) -> Slate:
        return slate([form("traded", "BOS")], [quote("traded")], games=chosen)

    built = slate_as_of(build, (EARLY, LATE), NOON)
    assert (built.players, built.left_alone) == ((), ("traded",))


def test_begun_games_are_predicted_if_asked_for_and_on_a_past_date() -> None:
    after = NOON + timedelta(hours=3)
    assert slate_at(after, begun_games=True) == replace(slate_at(NOON - SECOND), as_of=after)
    # The night is over at 6:00 US Eastern, 11:00 UTC, and not at midnight.
    over = datetime(2026, 1, 2, 11, tzinfo=timezone.utc)
    assert slate_at(over - SECOND).open_games == ()
    assert set(slate_at(over).open_games) == {EARLY, LATE}
    assert slate_at(over).begun == frozenset()


def test_the_moment_is_not_part_of_the_fingerprint_and_missing_players_are() -> None:
    morning, noon = slate_at(NOON - timedelta(hours=9)), slate_at(NOON - SECOND)
    assert morning.as_of != noon.as_of
    assert morning.fingerprint() == noon.fingerprint()
    without = slate(FORMS, QUOTES, {"philtwo": "OUT", "bostwo": "OUT"}, (EARLY, LATE))
    assert noon.fingerprint() == without.fingerprint()
    assert slate_at(NOON).fingerprint() != noon.fingerprint()
