"""The slate: who is expected to play on a game date, and with which line.

Made only from what is known before tip-off: the games that are on, each player's latest team and
recent minutes, the books' lines and the injury report. Who then really played is not asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal

from nba_predictions.domain.betting.lines import LinePrice, Quote, base_line
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.league.players import resolve_lookup

#: A player without a line is expected to play from this mean of recent minutes on.
MIN_RECENT_MINUTES = 15.0
#: Recent minutes are the mean of a player's last this many games played.
RECENT_GAMES = 10
#: Somebody who played in none of his team's last this many games is not expected without a line.
ABSENCE_GAMES = 10
#: A new season counts anew: who sat out this many of its first games has left, or is hurt.
SEASON_GRACE_GAMES = 3

NOT_PLAYING = frozenset({"OUT", "DOUBTFUL"})
#: How the reason of a skip begins that the injury report is the source of.
REPORTED = "injury_report"


@dataclass(frozen=True)
class Game:
    game_id: str
    game_date: date
    away_team: str
    home_team: str
    #: UTC; None where the source does not know it.
    tipoff: datetime | None = None


@dataclass(frozen=True)
class PlayerForm:
    """What the box scores say of a player before the date.

    `team_games_missed` counts his latest team's games since he last played, and
    `season_games_missed` those of the present season if he has not played in it at all.
    """

    player_lookup: str
    player_name: str
    team: str
    games: int
    recent_minutes: float
    team_games_missed: int
    season_games_missed: int = 0


@dataclass(frozen=True)
class PlayerQuote:
    """A quote with the name and the two teams as the book has them."""

    player_lookup: str
    player_name: str
    away_team: str
    home_team: str
    quote: Quote


@dataclass(frozen=True)
class SlatePlayer:
    """One player to be predicted. Team, opponent and venue are None together: see `build_slate`."""

    game_date: date
    game_id: str
    player_lookup: str
    player_name: str
    team: str | None
    opponent: str | None
    is_home: bool | None
    base_line: Decimal | None
    line_source: str
    books: int
    #: The books' own probability of the over at the base line, their margin taken out.
    fair_over: float | None = None
    #: The best prices at the tested lines, where anybody quotes them.
    prices: tuple[LinePrice, ...] = ()


@dataclass(frozen=True)
class Skip:
    """A player who was considered and will not be predicted, and why."""

    player_lookup: str
    reason: str


@dataclass(frozen=True)
class Slate:
    """The games, the players to predict and the skips, sorted by game_id or player_lookup."""

    game_date: date
    games: tuple[Game, ...]
    players: tuple[SlatePlayer, ...]
    skips: tuple[Skip, ...]
    #: Quotes that name a game which is not on; a few are normal (postponements), many are not.
    quotes_off_slate: int = 0
    #: When the newest box score behind the slate and its features was complete (UTC).
    features_as_of: datetime | None = None

    @property
    def expected(self) -> int:
        """How many players the batch has to account for: a skip counts, with its reason."""
        return len(self.players) + len(self.skips)

    @property
    def with_line(self) -> int:
        return sum(p.base_line is not None for p in self.players)

    @property
    def absent(self) -> frozenset[str]:
        """Players of note who are reported not to play."""
        return frozenset(s.player_lookup for s in self.skips if s.reason.startswith(REPORTED))

    def fingerprint(self) -> str:
        """Return a hash of the whole slate, by which a batch recognises its own work.

        When a game begins is left out: no row is made of it.
        """
        values = asdict(self)
        for game in values["games"]:
            del game["tipoff"]
        text = json.dumps(values, default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_slate(
    game_date: date,
    games: Sequence[Game],
    forms: Iterable[PlayerForm],
    quotes: Iterable[PlayerQuote],
    injury_status: Mapping[str, str],
    features_as_of: datetime | None = None,
) -> Slate:
    """Return the slate of `game_date`.

    On it are the players of the teams that play who have a betting line, or who average at least
    MIN_RECENT_MINUTES over their last RECENT_GAMES games and took part in one of their team's last
    ABSENCE_GAMES, and in one of the season's first SEASON_GRACE_GAMES. Those reported OUT or
    DOUBTFUL are skipped, and so is a line for somebody whom no box score knows.

    A line is newer than a box score. When it puts a player in a game in which his latest team does
    not play (a trade, a summer), it decides the game, and team, opponent and venue stay None: the
    line does not say on which side he is.
    """
    if not games:
        return Slate(game_date, (), (), (), 0, features_as_of)
    by_lookup = {form.player_lookup: form for form in forms}
    game_of_team = {team: game for game in games for team in (game.away_team, game.home_team)}
    quoted, strangers, off_slate = _quotes_by_player(quotes, by_lookup, games)
    status = {(resolve_lookup(k, by_lookup) or k): v.upper() for k, v in injury_status.items()}

    players: list[SlatePlayer] = []
    skips = [Skip(lookup, "unknown_player: no box score has this name") for lookup in strangers]
    for lookup, form in by_lookup.items():
        own_quotes = quoted.get(lookup, [])
        game = _game_of(form, own_quotes, game_of_team, games)
        if game is None or not (own_quotes or _is_regular(form)):
            continue
        if status.get(lookup) in NOT_PLAYING:
            skips.append(Skip(lookup, f"{REPORTED}: {status[lookup]}"))
            continue
        on_team = form.team in (game.away_team, game.home_team)
        home = form.team == game.home_team
        teams = (game.away_team, game.home_team)
        base = base_line(q.quote for q in own_quotes if (q.away_team, q.home_team) == teams)
        players.append(
            SlatePlayer(
                game_date=game_date,
                game_id=game.game_id,
                player_lookup=lookup,
                player_name=form.player_name,
                team=form.team if on_team else None,
                opponent=(game.away_team if home else game.home_team) if on_team else None,
                is_home=home if on_team else None,
                base_line=base.line if base else None,
                line_source=base.line_source if base else "none",
                books=base.books if base else 0,
                fair_over=base.fair_over if base else None,
                prices=base.prices if base else (),
            )
        )
    return Slate(
        game_date,
        tuple(sorted(games, key=lambda g: g.game_id)),
        tuple(sorted(players, key=lambda p: p.player_lookup)),
        tuple(sorted(skips, key=lambda s: s.player_lookup)),
        off_slate,
        features_as_of,
    )


def _is_regular(form: PlayerForm) -> bool:
    return (
        form.recent_minutes >= MIN_RECENT_MINUTES
        and form.team_games_missed < ABSENCE_GAMES
        and form.season_games_missed < SEASON_GRACE_GAMES
    )


def _quotes_by_player(
    quotes: Iterable[PlayerQuote], known: Mapping[str, PlayerForm], games: Sequence[Game]
) -> tuple[dict[str, list[PlayerQuote]], list[str], int]:
    """Sort the quotes by known player; return also the names nobody knows, and the misfits."""
    game_ids = {game.game_id for game in games}
    found: dict[str, list[PlayerQuote]] = {}
    strangers: set[str] = set()
    resolved: dict[str, str | None] = {}
    off_slate = 0
    for quote in quotes:
        game_id = make_game_id(games[0].game_date, quote.away_team, quote.home_team)
        if game_id not in game_ids:
            off_slate += 1
            continue
        if quote.player_lookup not in resolved:
            resolved[quote.player_lookup] = resolve_lookup(quote.player_lookup, known)
        lookup = resolved[quote.player_lookup]
        if lookup is None:
            strangers.add(quote.player_lookup)
        else:
            found.setdefault(lookup, []).append(quote)
    return found, sorted(strangers), off_slate


def _game_of(
    form: PlayerForm,
    quotes: Sequence[PlayerQuote],
    game_of_team: Mapping[str, Game],
    games: Sequence[Game],
) -> Game | None:
    own = game_of_team.get(form.team)
    if not quotes:
        return own
    named = {make_game_id(games[0].game_date, q.away_team, q.home_team) for q in quotes}
    if own is not None and own.game_id in named:
        return own
    return min((g for g in games if g.game_id in named), key=lambda g: g.game_id)
