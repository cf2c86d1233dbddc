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
)
from nba_predictions.domain.market import POINTS
from nba_predictions_tests.examples import GAME_DATE, game

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
