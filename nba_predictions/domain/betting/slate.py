"""The slate: the players who are expected to play on a game date, with their lines.

It uses only what is known before tip-off: the games of the date, each player's latest team and
recent minutes, the lines of the books, and the injury report. It never uses who really played.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from nba_predictions.domain.betting.lines import LinePrice, Quote, base_line
from nba_predictions.domain.errors import UnknownMarketError
from nba_predictions.domain.league.games import make_game_id, night_is_over
from nba_predictions.domain.league.players import (
    NameIndex,
    PlayerNames,
    Resolution,
    player_lookup,
)
from nba_predictions.domain.market import POINTS, Market, registered_markets

#: Without a line, a player needs this mean of recent minutes to be expected to play.
MIN_RECENT_MINUTES = 15.0
#: Recent minutes are the mean of a player's last games, at most this many.
RECENT_GAMES = 10
#: A player who missed this many of the team's last games is not expected to play without a line.
ABSENCE_GAMES = 10
#: A player who missed this many of the first games of a season has left the team or is injured.
SEASON_GRACE_GAMES = 3
#: A name is looked for among the players of this time before the newest box score, and only then
#: among all players since the first box score.
ACTIVE = timedelta(days=60)

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
        team: the latest team: that of the roster if it is newer than the latest box score.
        games: the number of games played.
        recent_minutes: the mean minutes of the last RECENT_GAMES games played.
        team_games_missed: games of the latest team since the player's last game.
        season_games_missed: those of the current season; 0 if the player has played in it.
        player_id: the NBA's id of the player; None if the box scores do not have it.
        last_played: the date of the last game played, None if it is unknown.
        former_names: the keys of other names of the player: earlier ones, and that of the roster.
    """

    player_lookup: str
    player_name: str
    team: str
    games: int
    recent_minutes: float
    team_games_missed: int
    season_games_missed: int = 0
    player_id: int | None = None
    last_played: date | None = None
    former_names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Newcomer:
    """A player of a team who has no box score yet."""

    player_lookup: str
    player_name: str
    team: str


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
class Reported:
    """An entry of the injury report. Team and moment (UTC) are None if they are not known."""

    player_lookup: str
    player_name: str
    status: str
    team: str | None = None
    observed_at: datetime | None = None


@dataclass(frozen=True)
class PlayerMarket:
    """One market of one player, without a line or with the consensus of the books (`base_line`).

    `line_source` is `sportsbook`, `dfs` or `none`. `quotes` are all quotes that were considered.
    No row depends on them beyond the other values, so they are not part of a hash.
    """

    name: str
    base_line: Decimal | None = None
    line_source: str = "none"
    books: int = 0
    fair_over: float | None = None
    prices: tuple[LinePrice, ...] = ()
    quotes: tuple[Quote, ...] = ()

    @classmethod
    def of(cls, market: Market, quotes: Sequence[Quote]) -> PlayerMarket:
        """Return a market with the base line of the books, or without a line."""
        base = base_line(quotes, market)
        considered = tuple(sorted(quotes, key=lambda q: (q.book, q.line, q.side)))
        if base is None:
            return cls(market.name, quotes=considered)
        values = (base.line, base.line_source, base.books, base.fair_over, base.prices)
        return cls(market.name, *values, considered)


@dataclass(frozen=True)
class SlatePlayer:
    """One player to predict.

    Team, opponent and venue are None together (see `build_slate`). `markets` has one entry per
    registered market, in the order of registration. `player_id` is the NBA's id of the player, None
    if it is unknown.
    """

    game_date: date
    game_id: str
    player_lookup: str
    player_name: str
    team: str | None
    opponent: str | None
    is_home: bool | None
    markets: tuple[PlayerMarket, ...]
    player_id: int | None = None

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
        therefore those of version 0.1.0, whose batches can be resumed and replayed. The
        player_id is left out for the same reason: it names the player, and no forecast depends on
        it.
        """
        markets = tuple(replace(market, quotes=()) for market in self.markets)
        values = asdict(replace(self, markets=markets))
        del values["player_id"]
        others = []
        for market in values.pop("markets"):
            del market["quotes"]
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
class Unmatched:
    """A name in an input (`kind`) that is not the name of exactly one player.

    `name` is the name as printed. If it fits several players, their keys follow in parentheses.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class InputSummary:
    """The outcome of the rows of one input file, as inputs/account.py counts them.

    It is stored with the batch. `dropped` has the counts by reason, as text.
    """

    kind: str
    path: str
    read: bool
    rows: int
    used: int
    superseded: int
    rejected: int
    dropped: str = ""
    note: str = ""


@dataclass(frozen=True)
class Slate:
    """The games, the players to predict and the skips, sorted by game_id or player_lookup.

    Attributes:
        quotes_off_slate: the number of quotes for games that are not on the schedule. A few are
            normal (postponements), many are not.
        features_as_of: when the newest box score behind the slate and its features was complete,
            in UTC.
        sequence: the sequence number at which the inputs were read; 0 is unknown.
        unmatched: the names in lines and injury report that are not the name of exactly one player.
        as_of: the moment of the run, in UTC: no later fact was used. None in slates of an earlier
            version.
        begun: the game_ids of the games that had begun at `as_of` and are left alone. They are
            among `games`, but none of their players is among `players` or `skips`.
        left_alone: the players (player_lookup) who would be predicted or skipped if their games
            had not begun, sorted.
        inputs: the outcome of the rows of each input file.
    """

    game_date: date
    games: tuple[Game, ...]
    players: tuple[Annotated[SlatePlayer, BeforeValidator(_with_markets)], ...]
    skips: tuple[Skip, ...]
    quotes_off_slate: int = 0
    features_as_of: datetime | None = None
    sequence: int = 0
    unmatched: tuple[Unmatched, ...] = ()
    as_of: datetime | None = None
    begun: frozenset[str] = frozenset()
    left_alone: tuple[str, ...] = ()
    inputs: tuple[InputSummary, ...] = ()

    @property
    def open_games(self) -> tuple[Game, ...]:
        """The games to predict: those that are not left alone."""
        return tuple(game for game in self.games if game.game_id not in self.begun)

    @property
    def expected(self) -> int:
        """The number of players that the batch must account for. A skip counts as well."""
        return len(self.players) + len(self.skips)

    @property
    def considered(self) -> frozenset[str]:
        """The players to predict and those who are skipped."""
        predicted = {player.player_lookup for player in self.players}
        return frozenset(predicted | {skip.player_lookup for skip in self.skips})

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

        Tip-off times, `sequence`, `unmatched`, `inputs` and the moment of the run are not part of
        the hash, because no row depends on them. Games that have begun count by the players who
        are missing.
        """
        values = asdict(replace(self, players=()))
        for name in ("sequence", "unmatched", "as_of", "begun", "left_alone", "inputs"):
            del values[name]
        values["players"] = [player.hashed_values() for player in self.players]
        for game in values["games"]:
            del game["tipoff"]
        text = json.dumps(values, default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class PlayerNamesOfDate:
    """Finds the players of a date by the names in lines and injury reports."""

    def __init__(
        self,
        games: Sequence[Game],
        forms: Sequence[PlayerForm],
        newcomers: Sequence[Newcomer] = (),
    ) -> None:
        self._index = NameIndex(
            [
                *(
                    PlayerNames(f.player_lookup, player_lookup(f.player_name), f.former_names)
                    for f in forms
                ),
                *(PlayerNames(n.player_lookup, player_lookup(n.player_name)) for n in newcomers),
            ]
        )
        self._teams: dict[str, set[str]] = {}
        newest = max((f.last_played for f in forms if f.last_played), default=None)
        self._active = set()
        for form in forms:
            self._teams.setdefault(form.team, set()).add(form.player_lookup)
            if newest is None or form.last_played is None or newest - form.last_played <= ACTIVE:
                self._active.add(form.player_lookup)
        for newcomer in newcomers:
            self._teams.setdefault(newcomer.team, set()).add(newcomer.player_lookup)
            self._active.add(newcomer.player_lookup)
        self._playing = {team for game in games for team in (game.away_team, game.home_team)}
        self._quoted: dict[tuple[str, str, str], Resolution] = {}

    def of_quote(self, quote: PlayerQuote) -> Resolution:
        """Look among the players of the quoted game, then the active ones, then all."""
        key = (quote.player_lookup, quote.away_team, quote.home_team)
        if key not in self._quoted:
            pool = self._players_of({quote.away_team, quote.home_team})
            self._quoted[key] = self._index.resolve(quote.player_lookup, pool, self._active)
        return self._quoted[key]

    def of_report(self, reported: Reported) -> Resolution:
        """Look among the players of the team or, without it, of the date's teams; then as above."""
        teams = self._playing if reported.team is None else {reported.team}
        return self._index.resolve(reported.player_lookup, self._players_of(teams), self._active)

    def unmatched(self, report: Iterable[Reported]) -> list[Unmatched]:
        """Return the reported names without exactly one player, for teams that play."""
        return [
            _unmatched("injuries", reported.player_name, found)
            for reported in report
            if (found := self.of_report(reported)).player_lookup is None
            and (reported.team is None or reported.team in self._playing)
        ]

    def _players_of(self, teams: Collection[str]) -> set[str]:
        return set().union(*(self._teams.get(team, ()) for team in teams))


def _unmatched(kind: str, name: str, found: Resolution) -> Unmatched:
    return Unmatched(
        kind, f"{name} ({' or '.join(found.candidates)})" if found.candidates else name
    )


def build_slate(
    game_date: date,
    games: Sequence[Game],
    forms: Iterable[PlayerForm],
    quotes: Iterable[PlayerQuote],
    report: Sequence[Reported],
    features_as_of: datetime | None = None,
    newcomers: Sequence[Newcomer] = (),
) -> Slate:
    """Return the slate of `game_date`.

    The slate has the players of the date's teams who have a line in any market. It also has the
    players without a line who average at least MIN_RECENT_MINUTES over their last RECENT_GAMES
    games, and who played in one of the team's last ABSENCE_GAMES games and in one of the season's
    first SEASON_GRACE_GAMES games. Players reported OUT or DOUBTFUL are skipped; of several
    entries for a player, the last one in `report` from before the tip-off counts. A line for a
    name without any box score is skipped as well, also for one of the `newcomers`.

    A line is newer than a box score. If it names a game in which the player's latest team does not
    play (after a trade, or a summer), the line decides the game. Team, opponent and venue are then
    None, because the line does not say which of the two teams the player is on.
    """
    if not games:
        return Slate(game_date, (), (), (), 0, features_as_of)
    by_lookup = {form.player_lookup: form for form in forms}
    names = PlayerNamesOfDate(games, list(by_lookup.values()), newcomers)
    game_of_team = {team: game for game in games for team in (game.away_team, game.home_team)}
    quoted, unknown, off_slate = _quotes_by_player(quotes, names, games)
    reported: dict[str | None, list[Reported]] = {}
    for entry in report:
        reported.setdefault(names.of_report(entry).player_lookup, []).append(entry)

    players: list[SlatePlayer] = []
    without_box_score = [lookup for lookup, (_, found) in unknown.items() if not found.candidates]
    without_box_score += [lookup for lookup in quoted if lookup not in by_lookup]
    skips = [
        Skip(lookup, "unknown_player: no box score has this name") for lookup in without_box_score
    ]
    for lookup, form in by_lookup.items():
        own_quotes = quoted.get(lookup, [])
        game = _game_of(form, own_quotes, game_of_team, games)
        if game is None or not (own_quotes or _is_regular(form)):
            continue
        status = _status(reported.get(lookup, ()), game)
        if status in NOT_PLAYING:
            skips.append(Skip(lookup, f"{REPORTED}: {status}"))
            continue
        players.append(_slate_player(form, game, own_quotes))
    unmatched = {_unmatched("points_lines", name, found) for name, found in unknown.values()}
    return Slate(
        game_date,
        tuple(sorted(games, key=lambda g: g.game_id)),
        tuple(sorted(players, key=lambda p: p.player_lookup)),
        tuple(sorted(skips, key=lambda s: s.player_lookup)),
        off_slate,
        features_as_of,
        unmatched=tuple(
            sorted(unmatched | set(names.unmatched(report)), key=lambda u: (u.kind, u.name))
        ),
    )


def _status(entries: Iterable[Reported], game: Game) -> str | None:
    """Return the last status of a player from before the tip-off, None without one."""
    status = None
    for entry in entries:
        known_at, tipoff = entry.observed_at, game.tipoff
        if known_at is None or tipoff is None or known_at <= tipoff:
            status = entry.status.upper()
    return status


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
        player_id=form.player_id,
        team=form.team if on_team else None,
        opponent=(game.away_team if home else game.home_team) if on_team else None,
        is_home=home if on_team else None,
        markets=tuple(
            PlayerMarket.of(market, [q.quote for q in of_game if q.market == market.name])
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
    quotes: Iterable[PlayerQuote], names: PlayerNamesOfDate, games: Sequence[Game]
) -> tuple[dict[str, list[PlayerQuote]], dict[str, tuple[str, Resolution]], int]:
    """Return the quotes by player, the names without a player, and the number of quotes off slate.

    The names without a player are by their keys, as printed, with the players they may stand for.
    """
    teams = {(game.away_team, game.home_team) for game in games}
    by_player: dict[str, list[PlayerQuote]] = {}
    unknown: dict[str, tuple[str, Resolution]] = {}
    off_slate = 0
    for quote in quotes:
        if (quote.away_team, quote.home_team) not in teams:
            off_slate += 1
            continue
        found = names.of_quote(quote)
        if found.player_lookup is None:
            unknown.setdefault(quote.player_lookup, (quote.player_name, found))
        else:
            by_player.setdefault(found.player_lookup, []).append(quote)
    return by_player, unknown, off_slate


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


def slate_as_of(
    build: Callable[[Sequence[Game]], Slate],
    games: Sequence[Game],
    as_of: datetime,
    *,
    begun_games: bool = False,
) -> Slate:
    """Return the slate as of a moment, without the players of games that have begun.

    A date whose night is over at `as_of` is a backfill: all its games are predicted. A game
    without a known tip-off has not begun.

    Args:
        build: returns the slate of some games of the date, as `build_slate` does.
        games: all games of the date.
        as_of: the moment of the run, with a time zone.
        begun_games: whether games that have begun are predicted nevertheless.
    """
    whole = replace(build(games), as_of=as_of)
    begun = games_begun(games, as_of)
    if begun_games or not begun or night_is_over(whole.game_date, as_of):
        return whole
    players = tuple(p for p in whole.players if p.game_id not in begun)
    # A skip does not name its game. The skips of the other games are those of a slate without the
    # games that have begun.
    rest = build([game for game in games if game.game_id not in begun])
    skipped = {skip.player_lookup for skip in rest.skips}
    skips = tuple(skip for skip in whole.skips if skip.player_lookup in skipped)
    of_open_games = replace(whole, players=players, skips=skips, begun=frozenset(begun))
    left_alone = whole.considered - of_open_games.considered
    return replace(of_open_games, left_alone=tuple(sorted(left_alone)))


def games_begun(games: Iterable[Game], moment: datetime) -> set[str]:
    """Return the game_ids of the games with a known tip-off at or before a moment."""
    return {g.game_id for g in games if g.tipoff is not None and g.tipoff <= moment}
