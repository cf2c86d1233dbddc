"""The CDN of the NBA: the schedule of the season, the scoreboard of today, and box scores."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from nba_predictions_tests.standins.live.day import SCHEDULED, Moment, utc_text
from nba_predictions_tests.standins.live.messages import (
    ACCESS_DENIED_HTML,
    ACCESS_DENIED_XML,
    HTML,
    XML,
    Answer,
    Request,
)
from nba_predictions_tests.standins.live.season import Game, Row, Season, chance
from nba_predictions_tests.standins.live.stats import (
    MEMBERS,
    counts,
    local_text,
    nested_team,
    scoreboard,
    total_of,
)

Json = dict[str, Any]

_BOX_SCORE = re.compile(r"liveData/boxscore/boxscore_(\d{10})\.json")
_SCHEDULES = ("staticData/scheduleLeagueV2.json", "staticData/scheduleLeagueV2_1.json")
#: The schedule is written again every 15 minutes.
_WRITTEN = timedelta(minutes=15)


class Cdn:
    """The files under `/cdn`. Without the headers of a browser on nba.com: 403."""

    def answer(self, request: Request, moment: Moment) -> Answer:
        if not request.is_from_browser or not request.is_from_nba_site:
            return Answer(ACCESS_DENIED_HTML, 403, HTML)
        path = request.path.strip("/")
        if path in _SCHEDULES:
            return Answer(schedule(moment))
        if path == "liveData/scoreboard/todaysScoreboard_00.json":
            # The day changes at noon in London.
            day = (moment.now - timedelta(hours=12)).date()
            return Answer(scoreboard(day, moment))
        found = _BOX_SCORE.fullmatch(path)
        game = None if found is None else moment.game(found[1])
        if game is None or moment.state(game[1]) == SCHEDULED:
            return Answer(ACCESS_DENIED_XML, 403, XML)
        return Answer(_box_score(*game, moment))


def schedule(moment: Moment) -> Json:
    """Return the schedule of the season. All times end in `Z`, but only some are UTC."""
    season = moment.season
    days = []
    for day, games in sorted(season.by_day.items()) if season is not None else []:
        shown = [schedule_game(game, moment) for game in games if moment.is_decided(game)]
        if shown:
            days.append({"gameDate": f"{day:%m/%d/%Y} 00:00:00", "games": shown})
    written = moment.now - (moment.now - moment.now.replace(hour=0, minute=0)) % _WRITTEN
    year = "" if season is None else season.name
    request = f"http://nba.cloud/league/00/{year}/scheduleleaguev2?Format=json"
    return {
        "meta": {"version": 1, "request": request, "time": utc_text(written)},
        "leagueSchedule": {
            "seasonYear": year,
            "leagueId": "00",
            "gameDates": days,
            "weeks": [],
            "broadcasterList": [],
        },
    }


def schedule_game(game: Game, moment: Moment) -> Json:
    """Return a game of the schedule."""
    assert moment.season is not None, "it has the game"
    local, day = local_text(game.tipoff), game.day.isoformat()
    utc = utc_text(game.tipoff)
    label = {"6": "Emirates NBA Cup", "5": "SoFi Play-In Tournament"}.get(game.kind, "")

    def side(tricode: str) -> Json:
        score = moment.score(season, game, tricode)
        return {**nested_team(tricode), "wins": 0, "losses": 0, "score": score, "seed": 0}

    season = moment.season
    return {
        "gameId": game.game_id,
        "gameCode": f"{game.day:%Y%m%d}/{game.away}{game.home}",
        "gameStatus": moment.state(game),
        "gameStatusText": moment.state_text(game),
        "gameSequence": 1,
        "gameDateEst": f"{day}T00:00:00Z",
        "gameTimeEst": f"1900-01-01{local[10:]}",
        "gameDateTimeEst": local,
        "gameDateUTC": f"{day}T05:00:00Z",
        "gameTimeUTC": f"1900-01-01{utc[10:]}",
        "gameDateTimeUTC": utc,
        "awayTeamTime": local,
        "homeTeamTime": local,
        "day": f"{game.day:%a}",
        "monthNum": game.day.month,
        "weekNumber": 1,
        "weekName": "Week 1",
        "ifNecessary": False,
        "seriesGameNumber": "",
        "gameLabel": label,
        "gameSubLabel": "",
        "seriesText": "",
        "arenaName": "Arena",
        "arenaCity": nested_team(game.home)["teamCity"],
        "postponedStatus": "N",
        "gameSubtype": "",
        "isNeutral": game.kind == "6",
        "homeTeam": side(game.home),
        "awayTeam": side(game.away),
    }


def _box_score(season: Season, game: Game, moment: Moment) -> Json:
    """Return a box score. During the game, it has a share of the final counts."""
    local, utc = local_text(game.tipoff), utc_text(game.tipoff)
    request = f"http://nba.cloud/games/{game.game_id}/boxscore?Format=json"
    at = moment.now.strftime("%Y-%m-%d %H:%M:00.000000")
    return {
        "meta": {"version": 1, "code": 200, "request": request, "time": at},
        "game": {
            "gameId": game.game_id,
            "gameTimeUTC": utc,
            "gameEt": local,
            "duration": int((game.ends - game.tipoff).total_seconds() // 60),
            "gameCode": f"{game.day:%Y%m%d}/{game.away}{game.home}",
            "gameStatusText": moment.state_text(game),
            "gameStatus": moment.state(game),
            "regulationPeriods": 4,
            "period": moment.period(game),
            "homeTeam": _side(season, game, game.home, moment),
            "awayTeam": _side(season, game, game.away, moment),
        },
    }


def _side(season: Season, game: Game, tricode: str, moment: Moment) -> Json:
    share = moment.share_played(game)
    players = []
    rows = [r for r in moment.box_score(season, game) if r["TEAM_ABBREVIATION"] == tricode]
    for order, row in enumerate(rows, start=1):
        first, _, last = row["PLAYER_NAME"].partition(" ")
        seconds = int(share * (60 * row["MIN"] + chance(60, row["PLAYER_ID"], game.game_id)))
        so_far = counts(_so_far(row, share))
        clock = f"PT{seconds // 60:02d}M{seconds % 60:02d}.00S"
        players.append(
            {
                **{"status": "ACTIVE", "order": order, "personId": row["PLAYER_ID"]},
                **{"jerseyNum": "7", "position": "", "starter": str(int(order <= 5))},
                **{"oncourt": "0", "played": "1", "statistics": {**so_far, "minutes": clock}},
                **{"name": row["PLAYER_NAME"], "nameI": f"{first[0]}. {last}"},
                **{"firstName": first, "familyName": last},
            }
        )
    for number, listed in enumerate(season.listed.get((game.day, tricode), [])):
        if not listed.plays:
            first, _, last = listed.player.partition(" ")
            nothing = {**dict.fromkeys(counts(rows[0]), 0), "minutes": "PT00M00.00S"}
            players.append(
                {
                    **{"status": "INACTIVE", "notPlayingReason": "INACTIVE_INJURY"},
                    **{"order": len(rows) + number + 1, "personId": _person(season, listed.player)},
                    **{"jerseyNum": "0", "starter": "0", "oncourt": "0", "played": "0"},
                    **{"statistics": nothing, "name": listed.player},
                    **{"firstName": first, "familyName": last, "nameI": f"{first[0]}. {last}"},
                }
            )
    score = moment.score(season, game, tricode)
    total = total_of([_so_far(row, share) for row in rows])
    return {**nested_team(tricode), "score": score, "players": players, "statistics": total}


def _so_far(row: Row, share: float) -> Row:
    """Return a row with the counts of a share of the game."""
    return {**row, **{name: int(share * row[name]) for name in MEMBERS}}


def _person(season: Season, player: str) -> int:
    """Return the id of a player of the season, or another id if the player never plays."""
    return season.player_ids.get(player, 9_000_000 + chance(900_000, player))
