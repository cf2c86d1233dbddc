"""The slate: the players who are expected to play on a game date, with their lines.

It uses only what is known before tip-off: the games of the date, each player's latest team and
recent minutes, the lines of the books, and the injury report. It never uses who really played.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from nba_predictions.domain.betting.lines import BaseLine, LinePrice, Quote, base_line
from nba_predictions.domain.errors import UnknownMarketError
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.league.players import resolve_lookup
from nba_predictions.domain.market import POINTS, Market, registered_markets

#: Without a line, a player needs this mean of recent minutes to be expected to play.
MIN_RECENT_MINUTES = 15.0
#: Recent minutes are the mean of a player's last games, at most this many.
RECENT_GAMES = 10
#: A player who missed this many of the team's last games is not expected to play without a line.
ABSENCE_GAMES = 10
#: A player who missed this many of the first games of a season has left the team or is injured.
SEASON_GRACE_GAMES = 3

NOT_PLAYING = frozenset({"OUT", "DOUBTFUL"})
#: A skip because of the injury report has a reason that begins with this word.
REPORTED = "injury_report"


@dataclass(frozen=True)
class Game:
    """One game of the date. `tipoff` is in UTC, None if the source does not know it."""

    game_id: str
    game_date: date
    away_team: str
    home_team: str
    tipoff: datetime | None = None


@dataclass(frozen=True)
class PlayerForm:
    """What the box scores show of a player before the date.

    Attributes:
        player_lookup: the key of the player.
        player_name: the name in the latest box score.
        team: the latest team.
        games: the number of games played.
        recent_minutes: the mean minutes of the last RECENT_GAMES games played.
        team_games_missed: games of the latest team since the player's last game.
        season_games_missed: those of the current season; 0 if the player has played in it.
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
    """A quote in a registered market, with the player and the two teams as the book has them."""

    player_lookup: str
    player_name: str
    away_team: str
    home_team: str
    market: str
    quote: Quote


@dataclass(frozen=True)
class PlayerMarket:
    """One market of one player, without a line or with the consensus of the books (`BaseLine`).

    `line_source` is `sportsbook`, `dfs` or `none`.
    """

    name: str
    base_line: Decimal | None = None
    line_source: str = "none"
    books: int = 0
    fair_over: float | None = None
    prices: tuple[LinePrice, ...] = ()

    @classmethod
    def of(cls, market: Market, base: BaseLine | None) -> PlayerMarket:
        """Return a market with the base line of the books, or without a line."""
        if base is None:
            return cls(market.name)
        return cls(
            market.name, base.line, base.line_source, base.books, base.fair_over, base.prices
        )


@dataclass(frozen=True)
class SlatePlayer:
    """One player to predict.

    Team, opponent and venue are None together (see `build_slate`). `markets` has one entry per
    registered market, in the order of registration.
    """

    game_date: date
    game_id: str
    player_lookup: str
    player_name: str
    team: str | None
    opponent: str | None
    is_home: bool | None
    markets: tuple[PlayerMarket, ...]

    def market(self, name: str) -> PlayerMarket:
        """Return the player's market of that name.

        Raises:
            UnknownMarketError: the slate was built without this market.
        """
        for market in self.markets:
            if market.name == name:
                return market
        raise UnknownMarketError(
            f"the slate of {self.game_date} has no market {name!r} for {self.player_lookup}; "
            f"materialize `slate` again"
        )

    @property
    def has_lines(self) -> bool:
        """Whether every market of the player has a line."""
        return all(m.base_line is not None for m in self.markets)

    def hashed_values(self) -> dict[str, Any]:
        """Return the values of the player that go into a hash.

        The values of points are not nested in `markets`. The hashes of a slate with points only are
        therefore those of version 0.1.0, whose batches can be resumed and replayed.
        """
        values = asdict(self)
        others = []
        for market in values.pop("markets"):
            if market["name"] == POINTS.name:
                values |= {k: v for k, v in market.items() if k != "name"}
            else:
                others.append(market)
        return {**values, "markets": others} if others else values


def _with_markets(stored: Any) -> Any:
    """Return stored values of a player with `markets`. Version 0.1.0 stored points only."""
    if not isinstance(stored, dict) or "markets" in stored:
        return stored
    names = {f.name for f in fields(PlayerMarket)} & set(stored)
    points = {"name": POINTS.name, **{name: stored[name] for name in names}}
    return {k: v for k, v in stored.items() if k not in names} | {"markets": [points]}


@dataclass(frozen=True)
class Skip:
    """A player who was considered and will not be predicted, and why."""

    player_lookup: str
    reason: str


@dataclass(frozen=True)
class Slate:
    """The games, the players to predict and the skips, sorted by game_id or player_lookup.

    `quotes_off_slate` counts quotes for games that are not on the schedule. A few are normal
    (postponements), many are not. `features_as_of` is when the newest box score behind the slate
    and its features was complete, in UTC. `sequence` is the sequence number at which the inputs
    were read; 0 is unknown.
    """

    game_date: date
    games: tuple[Game, ...]
    players: tuple[Annotated[SlatePlayer, BeforeValidator(_with_markets)], ...]
    skips: tuple[Skip, ...]
    quotes_off_slate: int = 0
    features_as_of: datetime | None = None
    sequence: int = 0

    @property
    def expected(self) -> int:
        """The number of players that the batch must account for. A skip counts as well."""
        return len(self.players) + len(self.skips)

    @property
    def with_line(self) -> int:
        """The number of players with a line in every market."""
        return sum(p.has_lines for p in self.players)

    @property
    def absent(self) -> frozenset[str]:
        """The expected players who are reported not to play."""
        return frozenset(s.player_lookup for s in self.skips if s.reason.startswith(REPORTED))

    def fingerprint(self) -> str:
        """Return a hash of the slate, by which a batch recognizes its own work.

        Tip-off times and `sequence` are not part of the hash, because no row depends on them.
        """
        values = asdict(replace(self, players=()))
        del values["sequence"]
        values["players"] = [player.hashed_values() for player in self.players]
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

    The slate has the players of the date's teams who have a line in any market. It also has the
    players without a line who average at least MIN_RECENT_MINUTES over their last RECENT_GAMES
    games, and who played in one of the team's last ABSENCE_GAMES games and in one of the season's
    first SEASON_GRACE_GAMES games. Players reported OUT or DOUBTFUL are skipped. A line for a name
    without any box score is skipped as well.

    A line is newer than a box score. If it names a game in which the player's latest team does not
    play (after a trade, or a summer), the line decides the game. Team, opponent and venue are then
    None, because the line does not say which of the two teams the player is on.
    """
    if not games:
        return Slate(game_date, (), (), (), 0, features_as_of)
    by_lookup = {form.player_lookup: form for form in forms}
    game_of_team = {team: game for game in games for team in (game.away_team, game.home_team)}
    quoted, unknown, off_slate = _quotes_by_player(quotes, by_lookup, games)
    status = {(resolve_lookup(k, by_lookup) or k): v.upper() for k, v in injury_status.items()}

    players: list[SlatePlayer] = []
    skips = [Skip(lookup, "unknown_player: no box score has this name") for lookup in unknown]
    for lookup, form in by_lookup.items():
        own_quotes = quoted.get(lookup, [])
        game = _game_of(form, own_quotes, game_of_team, games)
        if game is None or not (own_quotes or _is_regular(form)):
            continue
        if status.get(lookup) in NOT_PLAYING:
            skips.append(Skip(lookup, f"{REPORTED}: {status[lookup]}"))
            continue
        players.append(_slate_player(form, game, own_quotes))
    return Slate(
        game_date,
        tuple(sorted(games, key=lambda g: g.game_id)),
        tuple(sorted(players, key=lambda p: p.player_lookup)),
        tuple(sorted(skips, key=lambda s: s.player_lookup)),
        off_slate,
        features_as_of,
    )


def _slate_player(form: PlayerForm, game: Game, quotes: Sequence[PlayerQuote]) -> SlatePlayer:
    """Return the entry of one player. Only quotes for the player's game count."""
    on_team = form.team in (game.away_team, game.home_team)
    home = form.team == game.home_team
    teams = (game.away_team, game.home_team)
    of_game = [q for q in quotes if (q.away_team, q.home_team) == teams]
    return SlatePlayer(
        game_date=game.game_date,
        game_id=game.game_id,
        player_lookup=form.player_lookup,
        player_name=form.player_name,
        team=form.team if on_team else None,
        opponent=(game.away_team if home else game.home_team) if on_team else None,
        is_home=home if on_team else None,
        markets=tuple(
            PlayerMarket.of(
                market, base_line((q.quote for q in of_game if q.market == market.name), market)
            )
            for market in registered_markets()
        ),
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
    """Return the quotes by player, the unknown names, and the number of quotes off the slate."""
    game_ids = {game.game_id for game in games}
    by_player: dict[str, list[PlayerQuote]] = {}
    unknown: set[str] = set()
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
            unknown.add(quote.player_lookup)
        else:
            by_player.setdefault(lookup, []).append(quote)
    return by_player, sorted(unknown), off_slate


def _game_of(
    form: PlayerForm,
    quotes: Sequence[PlayerQuote],
    game_of_team: Mapping[str, Game],
    games: Sequence[Game],
) -> Game | None:
    """Return the game of the player: the latest team's, unless all quotes name another one."""
    own = game_of_team.get(form.team)
    if not quotes:
        return own
    named = {make_game_id(games[0].game_date, q.away_team, q.home_team) for q in quotes}
    if own is not None and own.game_id in named:
        return own
    return min((g for g in games if g.game_id in named), key=lambda g: g.game_id)
