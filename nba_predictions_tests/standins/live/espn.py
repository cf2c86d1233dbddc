"""ESPN: scoreboards, summaries with box scores, and injuries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from nba_predictions_tests.standins.live.day import (
    DECISION,
    FINAL,
    LIVE,
    SCHEDULED,
    Moment,
    utc_text,
)
from nba_predictions_tests.standins.live.messages import Answer, Request
from nba_predictions_tests.standins.live.season import Game, Listed, Row, Season, chance
from nba_predictions_tests.standins.live.teams import TEAMS

Json = dict[str, Any]

#: The statistics of a player in their order, with the columns of a box score.
_STATISTICS = {
    "MIN": ("minutes", "MIN"),
    "PTS": ("points", "PTS"),
    "FG": ("fieldGoalsMade-fieldGoalsAttempted", "FGM", "FGA"),
    "3PT": ("threePointFieldGoalsMade-threePointFieldGoalsAttempted", "FG3M", "FG3A"),
    "FT": ("freeThrowsMade-freeThrowsAttempted", "FTM", "FTA"),
    "REB": ("rebounds", "REB"),
    "AST": ("assists", "AST"),
    "TO": ("turnovers", "TOV"),
    "STL": ("steals", "STL"),
    "BLK": ("blocks", "BLK"),
    "OREB": ("offensiveRebounds", "OREB"),
    "DREB": ("defensiveRebounds", "DREB"),
    "PF": ("fouls", "PF"),
    "+/-": ("plusMinus", "PLUS_MINUS"),
}
_STATES = {
    SCHEDULED: ("1", "STATUS_SCHEDULED", "pre"),
    LIVE: ("2", "STATUS_IN_PROGRESS", "in"),
    FINAL: ("3", "STATUS_FINAL", "post"),
}
#: How far ahead the next game of a team is looked for.
_NEXT = timedelta(days=7)
_NOT_FOUND = {"code": 404, "message": "Failed to get events endpoint."}


class Espn:
    """The endpoints under `/espn`. They have ids of their own and need no headers."""

    def answer(self, request: Request, moment: Moment) -> Answer:
        path = request.path.strip("/")
        if path == "scoreboard":
            return _scoreboard(request, moment)
        if path == "summary":
            return _summary(request, moment)
        if path == "injuries":
            return Answer(_injuries(moment))
        return Answer(_NOT_FOUND, 404)


def event_id(game: Game) -> str:
    """Return the id of the event of a game.

    >>> from datetime import date, datetime
    >>> event_id(Game("0022500017", date(2025, 10, 21), datetime(2025, 10, 21), "LAL", "BOS"))
    '422500017'
    """
    return f"4{game.game_id[2:]}"


def athlete_id(player: object) -> str:
    """Return the id of a player, which is not that of the NBA."""
    return str(4_000_000 + chance(900_000, "espn", player))


def _scoreboard(request: Request, moment: Moment) -> Answer:
    text = request.get("dates") or f"{moment.today:%Y%m%d}"
    try:
        day = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return Answer({"code": 400, "message": "Invalid date parameter."}, 400)
    events = []
    for game in moment.games(day, day):
        teams = f"{TEAMS[game.away].full_name} at {TEAMS[game.home].full_name}"
        competition = _competition(game, moment)
        events.append(
            {
                **{"id": event_id(game), "date": utc_text(game.tipoff, ""), "name": teams},
                "shortName": f"{TEAMS[game.away].espn} @ {TEAMS[game.home].espn}",
                "season": {"year": day.year + (day.month >= 8), "type": 2},
                "competitions": [competition],
                "status": competition["status"],
            }
        )
    return Answer({"leagues": [{"id": "46"}], "day": {"date": day.isoformat()}, "events": events})


def _competition(game: Game, moment: Moment) -> Json:
    season = moment.season
    assert season is not None, "it has the game"
    number, name, state = _STATES[moment.state(game)]
    kind = {"id": number, "name": name, "state": state, "completed": state == "post"}
    text = moment.state_text(game)
    return {
        "id": event_id(game),
        "date": utc_text(game.tipoff, ""),
        "neutralSite": game.kind == "6",
        "competitors": [
            {
                "id": str(TEAMS[team].team_id % 100),
                "homeAway": side,
                "team": _team(team),
                "score": str(moment.score(season, game, team)),
            }
            for side, team in (("home", game.home), ("away", game.away))
        ],
        "status": {
            "period": moment.period(game),
            "type": {**kind, "description": text, "detail": text, "shortDetail": text},
        },
    }


def _team(tricode: str) -> Json:
    team = TEAMS[tricode]
    names = {"abbreviation": team.espn, "displayName": team.full_name, "name": team.nickname}
    return {"id": str(team.team_id % 100), **names, "location": team.city}


def _summary(request: Request, moment: Moment) -> Answer:
    found = moment.game(f"00{request.get('event')[1:]}")
    if found is None or event_id(found[1]) != request.get("event"):
        return Answer(_NOT_FOUND, 404)
    season, game = found
    header = {"id": event_id(game), "competitions": [_competition(game, moment)]}
    teams = [{"team": _team(team)} for team in (game.away, game.home)]
    boxscore: Json = {"teams": teams}
    if moment.state(game) != SCHEDULED:
        boxscore["players"] = [_players(season, game, t, moment) for t in (game.away, game.home)]
    return Answer({"boxscore": boxscore, "header": header})


def _players(season: Season, game: Game, tricode: str, moment: Moment) -> Json:
    share = moment.share_played(game)
    rows = [r for r in moment.box_score(season, game) if r["TEAM_ABBREVIATION"] == tricode]
    athletes = [
        {
            "active": False,
            "athlete": {"id": athlete_id(row["PLAYER_ID"]), "displayName": row["PLAYER_NAME"]},
            "starter": order < 5,
            "didNotPlay": False,
            "reason": "COACH'S DECISION",
            "ejected": False,
            "stats": [_text(name, row, share) for name in _STATISTICS],
        }
        for order, row in enumerate(rows)
    ]
    for listed in season.listed.get((game.day, tricode), []):
        if not listed.plays:
            person = {"id": athlete_id(listed.player), "displayName": listed.player}
            out = {"starter": False, "didNotPlay": True, "reason": listed.reason.upper()}
            athletes.append({"active": False, "athlete": person, **out, "stats": []})
    names = list(_STATISTICS)
    keys = [key for key, *_ in _STATISTICS.values()]
    table = {"names": names, "keys": keys, "labels": names, "athletes": athletes, "totals": []}
    return {"team": _team(tricode), "statistics": [table]}


def _text(name: str, row: Row, share: float) -> str:
    _, *columns = _STATISTICS[name]
    text = "-".join(str(int(share * row[column])) for column in columns)
    return f"+{text}" if name == "+/-" and not text.startswith(("-", "0")) else text


def _injuries(moment: Moment) -> Json:
    """Return the injured players of each team: two levels of `injuries`, without a game date."""
    blocks = []
    for tricode, team in TEAMS.items():
        items = _items(tricode, moment)
        if items:
            number = str(team.team_id % 100)
            blocks.append({"id": number, "displayName": team.full_name, "injuries": items})
    return {
        "timestamp": utc_text(moment.now),
        "status": "success",
        "season": {"year": moment.today.year + (moment.today.month >= 8), "type": 2},
        "injuries": blocks,
    }


def _items(tricode: str, moment: Moment) -> list[Json]:
    season = moment.season
    around = moment.games(moment.today - _NEXT, moment.today + _NEXT)
    games = [game for game in around if tricode in (game.away, game.home)]
    coming = [game for game in games if moment.state(game) != FINAL]
    past = [game for game in games if moment.state(game) == FINAL]
    if season is None or not coming:
        return []
    listed = season.listed.get((coming[0].day, tricode), [])
    items = [
        _item(player, moment.status(coming[0], player), coming[0], moment) for player in listed
    ]
    names = {player.player for player in listed}
    for player in season.listed.get((past[-1].day, tricode), []) if past else []:
        if player.player not in names:
            items.append(_item(player, "AVAILABLE", coming[0], moment))
    return items


def _item(player: Listed, status: str, game: Game, moment: Moment) -> Json:
    """Return an injury. ESPN has few statuses, and Day-To-Day is none of the league."""
    text, kind, fantasy = {
        "OUT": ("Out", "INJURY_STATUS_OUT", "OUT"),
        "AVAILABLE": ("Active", "INJURY_STATUS_ACTIVE", "ACTIVE"),
    }.get(status, ("Day-To-Day", "INJURY_STATUS_DAYTODAY", "GTD"))
    first, _, last = player.player.partition(" ")
    # A game is at most seven days ahead.
    learned = game.tipoff - (DECISION if status != player.status else _NEXT + timedelta(days=1))
    part, _, detail = player.reason.rpartition(" - ")[2].partition("; ")
    return {
        "id": str(chance(900_000, "injury", player.player, game.game_id)),
        "longComment": f"{player.player} is listed with this injury: {player.reason}.",
        "shortComment": f"{last} ({part.lower()}) is {text.lower()}.",
        "status": text,
        "date": utc_text(learned, ""),
        "athlete": {"firstName": first, "lastName": last, "displayName": player.player},
        "type": {"id": "1", "name": kind, "description": text.lower(), "abbreviation": text[0]},
        "details": {
            **{"fantasyStatus": {"description": fantasy, "abbreviation": fantasy}},
            **{"type": part, "detail": detail, "side": "Not Specified"},
            "returnDate": (game.day + timedelta(days=1)).isoformat(),
        },
    }
