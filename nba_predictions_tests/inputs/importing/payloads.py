"""Documents of every format with invented values, and how tests import them."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from nba_predictions.inputs.importing.importer import Imported, import_files

Json = dict[str, Any]

#: One game: LAL at BOS on 10 January 2025. Three players, and one of them did not play.
GAME_ID = "0022400999"
DAY = "2025-01-10"
PLAYERS: tuple[Json, ...] = (
    {
        **{"id": 9001, "first": "Arlo", "last": "Lalson Jr.", "team": "LAL", "seconds": 2041},
        **{"FGM": 9, "FGA": 18, "FG3M": 2, "FG3A": 5, "FTM": 3, "FTA": 4, "OREB": 1, "DREB": 4},
        **{"AST": 3, "STL": 1, "BLK": 0, "TOV": 2, "PF": 2, "PTS": 23},
    },
    {
        **{"id": 9002, "first": "Benno", "last": "Bosson", "team": "BOS", "seconds": 1501},
        **{"FGM": 5, "FGA": 11, "FG3M": 1, "FG3A": 4, "FTM": 2, "FTA": 2, "OREB": 0, "DREB": 6},
        **{"AST": 7, "STL": 2, "BLK": 1, "TOV": 1, "PF": 4, "PTS": 13},
    },
    {"id": 9003, "first": "Caro", "last": "Bosson", "team": "BOS", "seconds": None},
)
STATS = (
    *("FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "REB", "AST", "STL", "BLK"),
    *("TOV", "PF", "PTS"),
)
_NESTED = {
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
}
_TEAM_IDS = {"LAL": 1610612747, "BOS": 1610612738}


def _count(player: Json, name: str) -> Any:
    if player["seconds"] is None:
        return None
    return player["OREB"] + player["DREB"] if name == "REB" else player[name]


def _clock(player: Json, empty: Any = None) -> Any:
    seconds = player["seconds"]
    return empty if seconds is None else f"{seconds // 60}:{seconds % 60:02d}"


def log_rows() -> list[Json]:
    """Return the rows of a league game log, which has whole minutes."""
    return [
        {
            "SEASON_ID": "22024",
            "PLAYER_ID": player["id"],
            "PLAYER_NAME": f"{player['first']} {player['last']}",
            "TEAM_ID": _TEAM_IDS[player["team"]],
            "TEAM_ABBREVIATION": player["team"],
            "TEAM_NAME": player["team"],
            "GAME_ID": GAME_ID,
            "GAME_DATE": DAY,
            "MATCHUP": "LAL @ BOS" if player["team"] == "LAL" else "BOS vs. LAL",
            "WL": None,
            "MIN": None if player["seconds"] is None else round(player["seconds"] / 60),
            **{name: _count(player, name) for name in STATS},
            "FG_PCT": None,
            "PLUS_MINUS": 0,
            "VIDEO_AVAILABLE": 1,
        }
        for player in PLAYERS
    ]


def result_sets(rows: list[Json], name: str = "LeagueGameLog", **parameters: str) -> Json:
    headers = list(rows[0])
    return {
        "resource": name.lower(),
        "parameters": {"PlayerOrTeam": "P", **parameters},
        "resultSets": [
            {"name": name, "headers": headers, "rowSet": [list(row.values()) for row in rows]}
        ],
    }


def league_game_log() -> Json:
    return result_sets(log_rows())


def player_game_log() -> Json:
    """Return the log of one player, without names and teams."""
    row = {k: v for k, v in log_rows()[0].items() if k not in _NOT_IN_PLAYER_GAME_LOG}
    row = {{"PLAYER_ID": "Player_ID", "GAME_ID": "Game_ID"}.get(k, k): v for k, v in row.items()}
    answer = result_sets([{**row, "GAME_DATE": "JAN 10, 2025"}], "PlayerGameLog")
    answer["resultSet"] = answer.pop("resultSets")[0]
    return answer


_NOT_IN_PLAYER_GAME_LOG = ("PLAYER_NAME", "TEAM_ID", "TEAM_ABBREVIATION", "TEAM_NAME")


def player_game_logs() -> Json:
    """Return the logs of players with decimal minutes and MIN_SEC."""
    rows = []
    for row, player in zip(log_rows(), PLAYERS, strict=True):
        season = {"SEASON_YEAR": "2024-25", **row, "GAME_DATE": f"{DAY}T00:00:00"}
        season["MIN"] = None if player["seconds"] is None else player["seconds"] / 60
        del season["SEASON_ID"]
        rows.append({**season, "MIN_SEC": _clock(player)})
    return result_sets(rows, "PlayerGameLogs")


def box_score_v2() -> Json:
    rows = [
        {
            "GAME_ID": GAME_ID,
            "TEAM_ID": row["TEAM_ID"],
            "TEAM_ABBREVIATION": row["TEAM_ABBREVIATION"],
            "PLAYER_ID": row["PLAYER_ID"],
            "PLAYER_NAME": row["PLAYER_NAME"],
            "NICKNAME": "",
            "COMMENT": "" if row["MIN"] else "DNP - Coach's Decision",
            "MIN": _clock(player, empty="").replace(":", ".000000:") or None,
            **{{"TOV": "TO"}.get(name, name): row[name] for name in STATS},
        }
        for row, player in zip(log_rows(), PLAYERS, strict=True)
    ]
    answer = result_sets(rows, "PlayerStats")
    teams = [{"GAME_ID": GAME_ID, "TEAM_ID": 1, "MIN": "240:00", **dict.fromkeys(STATS, 9)}]
    answer["resultSets"] += result_sets(teams, "TeamStats")["resultSets"]
    return answer


def _team(tricode: str, players: list[Json]) -> Json:
    return {"teamId": _TEAM_IDS[tricode], "teamTricode": tricode, "players": players}


def _nested_player(player: Json, minutes: Any) -> Json:
    return {
        "personId": player["id"],
        "firstName": player["first"],
        "familyName": player["last"],
        "nameI": f"{player['first'][0]}. {player['last']}",
        "statistics": {
            "minutes": minutes,
            **{member: _count(player, name) or 0 for name, member in _NESTED.items()},
        },
    }


def box_score_v3() -> Json:
    def players(team: str) -> list[Json]:
        return [_nested_player(p, _clock(p, empty="")) for p in PLAYERS if p["team"] == team]

    return {
        "meta": {"version": 1, "time": "2025-01-11T06:00:00.123Z"},
        "boxScoreTraditional": {
            "gameId": GAME_ID,
            "homeTeam": _team("BOS", players("BOS")),
            "awayTeam": _team("LAL", players("LAL")),
        },
    }


def live_box_score() -> Json:
    def players(team: str) -> list[Json]:
        rows = []
        for player in PLAYERS:
            if player["team"] == team:
                seconds = player["seconds"] or 0
                minutes = f"PT{seconds // 60:02d}M{seconds % 60:02d}.00S"
                played = "0" if player["seconds"] is None else "1"
                name = f"{player['first']} {player['last']}"
                nested = _nested_player(player, minutes)
                rows.append({"status": "ACTIVE", "played": played, "name": name, **nested})
        return rows

    return {
        "meta": {"version": 1, "code": 200, "time": "2025-01-10 23:51:25.282704"},
        "game": {
            "gameId": GAME_ID,
            "gameCode": "20250110/LALBOS",
            "gameEt": "2025-01-10T19:30:00Z",
            "gameTimeUTC": "2025-01-11T00:30:00Z",
            "gameStatus": 3,
            "gameStatusText": "Final",
            "homeTeam": _team("BOS", players("BOS")),
            "awayTeam": _team("LAL", players("LAL")),
        },
    }


def schedule_game(game_id: str = GAME_ID, **changes: Any) -> Json:
    return {
        "gameId": game_id,
        "gameCode": "20250110/LALBOS",
        "gameStatus": 1,
        "gameStatusText": "7:30 pm ET",
        "gameDateEst": "2025-01-10T00:00:00Z",
        "gameTimeEst": "1900-01-01T19:30:00Z",
        "gameDateTimeEst": "2025-01-10T19:30:00Z",
        "gameDateTimeUTC": "2025-01-11T00:30:00Z",
        "postponedStatus": "N",
        "isNeutral": False,
        "homeTeam": {"teamId": 1610612738, "teamTricode": "BOS"},
        "awayTeam": {"teamId": 1610612747, "teamTricode": "LAL"},
    } | changes


def league_schedule(*games: Json) -> Json:
    return {
        "meta": {"version": 1, "time": "2025-01-09T10:11:02.112Z"},
        "leagueSchedule": {
            "seasonYear": "2024-25",
            "gameDates": [
                {"gameDate": "01/10/2025 00:00:00", "games": list(games or [schedule_game()])}
            ],
        },
    }


def scoreboard() -> Json:
    game = schedule_game(gameTimeUTC="2025-01-11T00:30:00Z", gameEt="2025-01-10T19:30:00Z")
    for key in ("gameDateEst", "gameTimeEst", "gameDateTimeEst", "gameDateTimeUTC"):
        del game[key]
    return {
        "meta": {"version": 1, "time": "2025-01-09T10:11:02.112Z"},
        "scoreboard": {"gameDate": DAY, "leagueId": "00", "games": [game]},
    }


def odds_event() -> Json:
    def outcome(side: str, price: float) -> Json:
        return {"name": side, "description": "Arlo Lalson Jr.", "price": price, "point": 24.5}

    points = {
        "key": "player_points",
        "last_update": "2025-01-10T16:31:29Z",
        "outcomes": [outcome("Over", -115), outcome("Under", -105)],
    }
    rebounds = {**copy.deepcopy(points), "key": "player_rebounds"}
    winner = {"key": "h2h", "outcomes": [{"name": "Boston Celtics", "price": -150}]}
    return {
        "id": "0123456789abcdef0123456789abcdef",
        "sport_key": "basketball_nba",
        "sport_title": "NBA",
        "commence_time": "2025-01-11T00:30:00Z",
        "home_team": "Boston Celtics",
        "away_team": "Los Angeles Lakers",
        "bookmakers": [
            {"key": "draftkings", "title": "DraftKings", "markets": [points, rebounds, winner]}
        ],
    }


def projection(number: int = 1, **changes: Any) -> Json:
    return {
        "type": "projection",
        "id": str(number),
        "attributes": {
            "line_score": 24.5,
            "stat_type": "Points",
            "odds_type": "standard",
            "description": "BOS",
            "start_time": "2025-01-10T19:30:00.000-05:00",
            "status": "pre_game",
            "updated_at": "2025-01-10T11:02:11-05:00",
            "is_promo": False,
            **changes,
        },
        "relationships": {
            "league": {"data": {"type": "league", "id": "7"}},
            "new_player": {"data": {"type": "new_player", "id": "77"}},
        },
    }


def prizepicks(*projections: Json) -> Json:
    player = {"name": "Arlo Lalson Jr.", "team": "LAL", "league": "NBA", "combo": False}
    return {
        "data": list(projections or [projection()]),
        "included": [
            {"type": "new_player", "id": "77", "attributes": player},
            {"type": "league", "id": "7", "attributes": {"name": "NBA"}},
            {"type": "league", "id": "84", "attributes": {"name": "NBA1H"}},
        ],
    }


def underdog() -> Json:
    def option(choice: str, price: str) -> Json:
        return {
            "id": f"{choice}{price}",
            "choice": choice,
            "american_price": price,
            "status": "active",
            "updated_at": "2025-01-10T16:00:00Z",
        }

    stat = {"appearance_id": "a1", "stat": "points", "display_stat": "Points"}
    return {
        "players": [
            {"id": "p1", "first_name": "Arlo", "last_name": "Lalson Jr.", "sport_id": "NBA"}
        ],
        "appearances": [{"id": "a1", "player_id": "p1", "match_id": 500, "team_id": "t-lal"}],
        "games": [
            {
                "id": 500,
                "home_team_id": "t-bos",
                "away_team_id": "t-lal",
                "scheduled_at": "2025-01-11T00:30:00Z",
                "title": "LAL @ BOS",
                "sport_id": "NBA",
            }
        ],
        "over_under_lines": [
            {
                "id": "l1",
                "status": "active",
                "stat_value": "24.5",
                "line_type": "balanced",
                "live_event": False,
                "over_under": {"id": "o1", "appearance_stat": stat},
                "options": [option("higher", "-120"), option("lower", "-105")],
            },
            {
                "id": "l2",
                "status": "active",
                "stat_value": "29.5",
                "line_type": "alternate",
                "live_event": False,
                "over_under": {"id": "o2", "appearance_stat": stat},
                "options": [option("higher", "+140")],
            },
        ],
    }


def espn_injuries() -> Json:
    def item(name: str, status: str, kind: str) -> Json:
        return {
            "id": "1",
            "status": status,
            "date": "2025-01-10T15:00Z",
            "athlete": {"displayName": name},
            "type": {"name": kind},
            "shortComment": "Knee soreness",
        }

    return {
        "timestamp": "2025-01-10T21:00:00Z",
        "status": "success",
        "injuries": [
            {
                "id": "13",
                "displayName": "Los Angeles Lakers",
                "injuries": [
                    item("Arlo Lalson Jr.", "Out", "INJURY_STATUS_OUT"),
                    item("Dora Lalson", "Day-To-Day", "INJURY_STATUS_DAYTODAY"),
                    item("Emil Lalson", "Active", "INJURY_STATUS_ACTIVE"),
                ],
            }
        ],
    }


def line_table() -> str:
    return (
        "Player,Team,Opponent,Stat Type,Line,Odds Type,Start Time\n"
        "Arlo Lalson Jr.,LAL,@ BOS,Points,24.5,standard,2025-01-11T00:30:00Z\n"
        "Arlo Lalson Jr.,LAL,@ BOS,Points,29.5,demon,2025-01-11T00:30:00Z\n"
        "Arlo Lalson Jr.,LAL,@ BOS,Points,19.5,Goblin,2025-01-11T00:30:00Z\n"
    )


def write(folder: Path, **documents: Any) -> list[Path]:
    """Write documents to files without a telling name, in the given order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, document in documents.items():
        path = folder / f"{name}.dat"
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            text = document if isinstance(document, str) else json.dumps(document)
            path.write_text(text, "utf-8")
        paths.append(path)
    return paths


def imported(
    tmp_path: Path, *, observed_at: datetime | None = None, **documents: Any
) -> dict[str, Imported]:
    """Import documents into `tmp_path/league`, and return the outcomes by name."""
    paths = write(tmp_path / "downloads", **documents)
    outcomes = import_files(paths, tmp_path / "league", observed_at=observed_at)
    return {outcome.path.stem: outcome for outcome in outcomes}


def rows_of(outcome: Imported, without: Iterable[str] = ()) -> pl.DataFrame:
    """Return the written rows of an outcome that has no error."""
    assert not outcome.error, outcome.error
    assert outcome.output is not None
    return pl.read_parquet(outcome.output).drop(without, strict=False)


def dicts_of(outcome: Imported) -> list[Json]:
    return rows_of(outcome).to_dicts()


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as pandas writes them to CSV, with a column for the index."""
    frame = pl.DataFrame(rows, infer_schema_length=None).with_row_index("")
    return frame.write_csv()


def as_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    content = io.BytesIO()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(content)
    return content.getvalue()


#: The order of the statistics in a box score of ESPN.
ESPN_NAMES = (
    *("MIN", "PTS", "FG", "3PT", "FT", "REB", "AST", "TO", "STL", "BLK", "OREB", "DREB", "PF"),
    "+/-",
)


def _espn_stats(player: Json) -> list[str]:
    if player["seconds"] is None:
        return []
    values = {
        "MIN": round(player["seconds"] / 60),
        "REB": player["OREB"] + player["DREB"],
        "TO": player["TOV"],
        "FG": f"{player['FGM']}-{player['FGA']}",
        "3PT": f"{player['FG3M']}-{player['FG3A']}",
        "FT": f"{player['FTM']}-{player['FTA']}",
        "+/-": "+4",
    }
    return [str(values.get(name, player.get(name))) for name in ESPN_NAMES]


def espn_competition(completed: bool = True, **changes: Any) -> Json:
    status = {"name": "STATUS_FINAL" if completed else "STATUS_SCHEDULED", "completed": completed}
    return {
        "id": "401810999",
        "date": "2025-01-11T00:30Z",
        "timeValid": True,
        "neutralSite": False,
        "competitors": [
            {"homeAway": "home", "team": {"abbreviation": "BOS"}, "score": "13"},
            {"homeAway": "away", "team": {"abbreviation": "LAL"}, "score": "23"},
        ],
        "status": {"type": {**status, "detail": "Fri, January 10th at 7:30 PM EST"}},
    } | changes


def espn_scoreboard(*competitions: Json, season_type: int = 2) -> Json:
    return {
        "leagues": [{"id": "46", "slug": "nba"}],
        "day": {"date": DAY},
        "events": [
            {
                "id": competition["id"],
                "date": competition["date"],
                "season": {"year": 2025, "type": season_type},
                "competitions": [competition],
                "status": competition["status"],
            }
            for competition in competitions or [espn_competition(completed=False)]
        ],
    }


def espn_summary(names: Sequence[str] = ESPN_NAMES, **changes: Any) -> Json:
    """Return the box score of the game. ESPN has other ids than the NBA."""

    def block(team: str) -> Json:
        athletes = [
            {
                "athlete": {
                    "id": str(4_000_000 + player["id"]),
                    "displayName": f"{player['first']} {player['last']}",
                },
                "starter": True,
                "didNotPlay": player["seconds"] is None,
                "stats": [
                    dict(zip(ESPN_NAMES, _espn_stats(player), strict=True))[name] for name in names
                ]
                if player["seconds"] is not None
                else [],
            }
            for player in PLAYERS
            if player["team"] == team
        ]
        return {
            "team": {"id": "1", "abbreviation": team},
            "statistics": [{"names": list(names), "athletes": athletes}],
        }

    return {
        "boxscore": {"teams": [], "players": [block("LAL"), block("BOS")]},
        "header": {
            "id": "401810999",
            "season": {"year": 2025, "type": 2},
            "competitions": [espn_competition(**changes)],
        },
        # A summary also lists the injuries of both teams.
        "injuries": [{"team": {"abbreviation": "LAL"}, "injuries": []}],
    }


def player_index() -> Json:
    """Return the list of players with their newest teams."""
    rows = [
        {
            "PERSON_ID": player["id"],
            "PLAYER_LAST_NAME": player["last"],
            "PLAYER_FIRST_NAME": player["first"],
            "TEAM_ABBREVIATION": player["team"],
        }
        for player in PLAYERS
    ]
    return result_sets(rows, "PlayerIndex")
