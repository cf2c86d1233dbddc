"""stats.nba.com: tables of headers and rows, and nested JSON."""

from __future__ import annotations

import re
import threading
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.league.games import EASTERN
from nba_predictions_tests.standins.live.day import FINAL, Moment, utc_text
from nba_predictions_tests.standins.live.messages import HTML, Answer, Request
from nba_predictions_tests.standins.live.season import (
    KINDS,
    LOG_COLUMNS,
    Game,
    Row,
    Season,
    chance,
    plain,
)
from nba_predictions_tests.standins.live.teams import TEAMS

Json = dict[str, Any]

#: Counts of a box score: the columns of tables and the members of nested JSON.
MEMBERS = {
    "FGM": "fieldGoalsMade",
    "FGA": "fieldGoalsAttempted",
    "FG3M": "threePointersMade",
    "FG3A": "threePointersAttempted",
    "FTM": "freeThrowsMade",
    "FTA": "freeThrowsAttempted",
    "OREB": "reboundsOffensive",
    "DREB": "reboundsDefensive",
    "REB": "reboundsTotal",
    "AST": "assists",
    "STL": "steals",
    "BLK": "blocks",
    "TOV": "turnovers",
    "PF": "foulsPersonal",
    "PTS": "points",
    "PLUS_MINUS": "plusMinusPoints",
}
_ERROR = {"Message": "An error has occurred."}
_PARAMETERS = {
    "leaguegamelog": (
        *("Counter", "DateFrom", "DateTo", "Direction", "LeagueID", "PlayerOrTeam", "Season"),
        *("SeasonType", "Sorter"),
    ),
    "playerindex": ("LeagueID", "Season"),
    "scoreboardv3": ("GameDate", "LeagueID"),
    "boxscoretraditionalv3": (
        *("EndPeriod", "EndRange", "GameID", "RangeType", "StartPeriod", "StartRange"),
    ),
    "commonteamroster": ("LeagueID", "Season", "TeamID"),
}
_INDEX_COLUMNS = (
    *("PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "PLAYER_SLUG", "TEAM_ID", "TEAM_SLUG"),
    *("IS_DEFUNCT", "TEAM_CITY", "TEAM_NAME", "TEAM_ABBREVIATION", "JERSEY_NUMBER", "POSITION"),
    *("HEIGHT", "WEIGHT", "COLLEGE", "COUNTRY", "DRAFT_YEAR", "DRAFT_ROUND", "DRAFT_NUMBER"),
    *("ROSTER_STATUS", "FROM_YEAR", "TO_YEAR", "PTS", "REB", "AST", "STATS_TIMEFRAME"),
)
_ROSTER_COLUMNS = (
    *("TeamID", "SEASON", "LeagueID", "PLAYER", "NICKNAME", "PLAYER_SLUG", "NUM", "POSITION"),
    *("HEIGHT", "WEIGHT", "BIRTH_DATE", "AGE", "EXP", "SCHOOL", "PLAYER_ID", "HOW_ACQUIRED"),
)


class Stats:
    """The endpoints under `/stats`. The newest game log of each kind is kept, because it is large.

    An address without the headers of a browser on nba.com gets no answer. Parameters must be
    complete and in alphabetical order.
    """

    def __init__(self) -> None:
        self._logs: dict[tuple[str, str], tuple[object, Answer]] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request, moment: Moment) -> Answer:
        if not request.is_from_browser or not request.is_from_nba_site:
            return Answer(hangs=True)
        endpoint = request.path.strip("/")
        if endpoint not in _PARAMETERS:
            return Answer("<h2>404 - File or directory not found.</h2>", 404, HTML)
        names = [name for name, _ in request.query]
        missing = [name for name in _PARAMETERS[endpoint] if name not in names]
        if missing:
            text = "; ".join(f"The {name} property is required." for name in missing)
            return Answer(text, 400, "text/plain")
        if names != sorted(names):
            return Answer(_ERROR, 500)
        if endpoint == "leaguegamelog":
            return self._game_log(request, moment)
        make = {
            "playerindex": _player_index,
            "scoreboardv3": _scoreboard,
            "boxscoretraditionalv3": _box_score,
            "commonteamroster": _team_roster,
        }[endpoint]
        return make(request, moment)

    def _game_log(self, request: Request, moment: Moment) -> Answer:
        name, kind = request.get("Season"), request.get("SeasonType")
        if kind not in KINDS or request.get("PlayerOrTeam") != "P":
            return Answer("The SeasonType or PlayerOrTeam property is invalid.", 400, "text/plain")
        season = moment.seasons.season(name)
        games = [] if season is None else moment.published(season, KINDS[kind])
        wrong = frozenset() if season is None else moment.wrong_rows(season)
        state = ([game.game_id for game in games], wrong, request.query)
        with self._lock:
            kept = self._logs.get((name, kind))
            if kept is not None and kept[0] == state:
                return kept[1]
        rows = [] if season is None else _log_rows(season, games, moment)
        parameters = {
            **{"LeagueID": "00", "Season": name, "SeasonType": kind, "PlayerOrTeam": "P"},
            **{"Counter": 0, "Sorter": "DATE", "Direction": "ASC"},
            **{"DateFrom": None, "DateTo": None},
        }
        answer = _table("leaguegamelog", "LeagueGameLog", parameters, LOG_COLUMNS, rows)
        with self._lock:
            self._logs[name, kind] = (state, answer)
        return answer


def _log_rows(season: Season, games: list[Game], moment: Moment) -> list[list[Any]]:
    wrong = {game for game, _ in moment.wrong_rows(season)}
    right = [game.game_id for game in games if game.game_id not in wrong]
    known = season.logs.filter(pl.col("GAME_ID").is_in(right))
    rows = [list(row) for row in known.rows()]
    for game in games:
        if game.game_id in wrong:
            rows += [list(row.values()) for row in moment.box_score(season, game)]
    return rows


def _table(
    resource: str, name: str, parameters: Json, columns: tuple[str, ...], rows: list[list[Any]]
) -> Answer:
    sets = [{"name": name, "headers": list(columns), "rowSet": rows}]
    return Answer({"resource": resource, "parameters": parameters, "resultSets": sets})


def _player_index(request: Request, moment: Moment) -> Answer:
    name = request.get("Season")
    season = moment.seasons.season(name)
    rows = []
    for row in [] if season is None else moment.roster(season).iter_rows(named=True):
        first, _, last = row["PLAYER_NAME"].partition(" ")
        team = TEAMS[row["TEAM_ABBREVIATION"]]
        number = row["PLAYER_ID"]
        rows.append(
            [
                *(number, last, first, slug(row["PLAYER_NAME"]), team.team_id, team.slug, 0),
                *(team.city, team.nickname, team.tricode, str(chance(99, number)), "G"),
                *("6-5", "215", "State", "USA", 2020, 1, 1 + chance(60, number), 1.0),
                *("2020", name[:4], 10.0, 4.0, 3.0, "Season"),
            ]
        )
    rows.sort(key=lambda row: (row[1], row[2]))
    parameters = {
        **{"LeagueID": "00", "Season": name, "Historical": 0, "TeamID": 0},
        **dict.fromkeys(("Country", "College", "DraftYear", "DraftPick")),
        **{"PlayerPosition": "", "Height": None, "Weight": None, "Active": 0, "AllStar": 0},
    }
    return _table("playerindex", "PlayerIndex", parameters, _INDEX_COLUMNS, rows)


def slug(name: str) -> str:
    """Return a name as in an address: `darius-brown`."""
    return re.sub(r"[^a-z0-9]+", "-", plain(name).lower()).strip("-")


def _team_roster(request: Request, moment: Moment) -> Answer:
    name, team_id = request.get("Season"), request.get("TeamID")
    season = moment.seasons.season(name)
    rows = []
    for row in [] if season is None else moment.roster(season).iter_rows(named=True):
        if str(row["TEAM_ID"]) == team_id:
            player = row["PLAYER_NAME"]
            rows.append(
                [
                    *(row["TEAM_ID"], name[:4], "00", player, player.split()[0], slug(player)),
                    *("7", "G", "6-5", "215", "JAN 01, 1999", 26.0, "4", "State"),
                    *(row["PLAYER_ID"], None),
                ]
            )
    parameters = {"TeamID": int(team_id or 0), "LeagueID": "00", "Season": name}
    return _table("commonteamroster", "CommonTeamRoster", parameters, _ROSTER_COLUMNS, rows)


def meta(moment: Moment, what: str) -> Json:
    """Return the first member of nested answers, with the moment of the answer."""
    at = moment.now.replace(second=0, microsecond=0)
    return {"version": 1, "request": f"http://nba.cloud/{what}?Format=json", "time": utc_text(at)}


def _scoreboard(request: Request, moment: Moment) -> Answer:
    try:
        day = date.fromisoformat(request.get("GameDate"))
    except ValueError:
        return Answer("The GameDate property is invalid.", 400, "text/plain")
    return Answer(scoreboard(day, moment))


def scoreboard(day: date, moment: Moment) -> Json:
    """Return the games of a day. `gameEt` is a local time with a `Z`."""
    games = []
    for game in moment.games(day, day):
        assert moment.season is not None, "it has games"
        local = game.tipoff.astimezone(EASTERN)
        games.append(
            {
                "gameId": game.game_id,
                "gameCode": f"{game.day:%Y%m%d}/{game.away}{game.home}",
                "gameStatus": moment.state(game),
                "gameStatusText": moment.state_text(game),
                "period": moment.period(game),
                "gameClock": "",
                "gameTimeUTC": utc_text(game.tipoff),
                "gameEt": f"{local:%Y-%m-%dT%H:%M:%S}Z",
                "regulationPeriods": 4,
                "seriesGameNumber": "",
                "seriesText": "",
                "ifNecessary": False,
                "gameSubtype": "",
                "isNeutral": False,
                "homeTeam": _team(game.home, moment.score(moment.season, game, game.home)),
                "awayTeam": _team(game.away, moment.score(moment.season, game, game.away)),
            }
        )
    what = f"league/00/{day:%Y/%m/%d}/scoreboard"
    league = {"leagueId": "00", "leagueName": "National Basketball Association"}
    return {
        "meta": meta(moment, what),
        "scoreboard": {"gameDate": day.isoformat(), **league, "games": games},
    }


def _team(tricode: str, score: int) -> Json:
    return {**nested_team(tricode), "wins": 0, "losses": 0, "score": score, "seed": 0}


def nested_team(tricode: str) -> Json:
    """Return what all nested answers say about a team."""
    team = TEAMS[tricode]
    names = {"teamName": team.nickname, "teamCity": team.city, "teamTricode": tricode}
    return {"teamId": team.team_id, **names, "teamSlug": team.slug}


def counts(row: Row) -> Json:
    """Return the counts and shares of a row as members of nested JSON."""
    values = {member: row[name] for name, member in MEMBERS.items()}
    for shots, name in _SHOTS.items():
        tried = row[f"{shots}A"]
        values[f"{name}Percentage"] = round(row[f"{shots}M"] / tried, 3) if tried else 0.0
    return values


_SHOTS = {"FG": "fieldGoals", "FG3": "threePointers", "FT": "freeThrows"}


def total_of(rows: list[Row]) -> Json:
    """Return the counts of a team."""
    return counts({name: sum(row[name] for row in rows) for name in MEMBERS})


def _box_score(request: Request, moment: Moment) -> Answer:
    found = moment.game(request.get("GameID"))
    if found is None or moment.state(found[1]) != FINAL:
        return Answer(_ERROR, 500)
    season, game = found
    rows = moment.box_score(season, game) if moment.has_box_score(game) else []

    def side(tricode: str) -> Json:
        players = []
        for row in rows:
            if row["TEAM_ABBREVIATION"] == tricode:
                first, _, last = row["PLAYER_NAME"].partition(" ")
                seconds = chance(60, "seconds", row["PLAYER_ID"], game.game_id)
                statistics = {"minutes": f"{row['MIN']}:{seconds:02d}", **counts(row)}
                names = {"firstName": first, "familyName": last, "nameI": f"{first[0]}. {last}"}
                names["playerSlug"] = slug(row["PLAYER_NAME"])
                other = {"position": "", "comment": "", "jerseyNum": ""}
                person = {"personId": row["PLAYER_ID"]}
                players.append({**person, **names, **other, "statistics": statistics})
        own = [row for row in rows if row["TEAM_ABBREVIATION"] == tricode]
        return {**nested_team(tricode), "players": players, "statistics": total_of(own)}

    return Answer(
        {
            "meta": meta(moment, f"games/{game.game_id}/boxscoretraditional"),
            "boxScoreTraditional": {
                "gameId": game.game_id,
                "awayTeamId": TEAMS[game.away].team_id,
                "homeTeamId": TEAMS[game.home].team_id,
                "homeTeam": side(game.home),
                "awayTeam": side(game.away),
            },
        }
    )


def local_text(moment: datetime) -> str:
    """Return an Eastern time with the wrong `Z` of the NBA."""
    return f"{moment.astimezone(EASTERN):%Y-%m-%dT%H:%M:%S}Z"
