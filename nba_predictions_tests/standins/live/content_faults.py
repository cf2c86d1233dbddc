"""Faults in the content of answers: columns, games, reports and quotes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nba_predictions_tests.standins.live.day import Moment, uncorrected, utc_text
from nba_predictions_tests.standins.live.espn import event_id
from nba_predictions_tests.standins.live.faults import Strike, register
from nba_predictions_tests.standins.live.injuries import Report, missing, report_at, time_of
from nba_predictions_tests.standins.live.messages import (
    ACCESS_DENIED_XML,
    HTML,
    XML,
    Answer,
)
from nba_predictions_tests.standins.live.odds import outcomes

Json = dict[str, Any]

_SLOT = timedelta(minutes=15)
_PRESEASON_GAMES = 13


def _table(strike: Strike) -> tuple[Json, Json] | None:
    """Return a copy of a tabular answer and its table, None if the answer is not tabular."""
    value = strike.answer.value
    if not isinstance(value, dict) or "resultSets" not in value:
        return None
    table = {**value["resultSets"][0]}
    table["headers"], table["rowSet"] = list(table["headers"]), list(table["rowSet"])
    return {**value, "resultSets": [table]}, table


def _game_log(strike: Strike) -> tuple[Json, Json] | None:
    found = _table(strike)
    is_log = strike.request.path == "leaguegamelog"
    return found if is_log and found is not None and found[1]["rowSet"] else None


def _changed(strike: Strike, value: Any) -> Answer:
    return replace(strike.answer, value=value)


@register("stats")
def renamed_headers(strike: Strike) -> Answer | None:
    """Columns have other names: `columns`, by default PTS is TOTAL_PTS."""
    found = _table(strike)
    names = strike.options.get("columns", {"PTS": "TOTAL_PTS"})
    if found is None or not set(names) & set(found[1]["headers"]):
        return None
    found[1]["headers"] = [names.get(name, name) for name in found[1]["headers"]]
    return _changed(strike, found[0])


@register("stats")
def dropped_column(strike: Strike) -> Answer | None:
    """A column is missing: `column`, by default PTS."""
    found = _table(strike)
    column = strike.options.get("column", "PTS")
    if found is None or column not in found[1]["headers"]:
        return None
    at = found[1]["headers"].index(column)
    del found[1]["headers"][at]
    found[1]["rowSet"] = [[*row[:at], *row[at + 1 :]] for row in found[1]["rowSet"]]
    return _changed(strike, found[0])


@register("stats")
def extra_column(strike: Strike) -> Answer | None:
    """There is a new column: `column`, by default NEW_COLUMN, in front of the others."""
    found = _table(strike)
    if found is None:
        return None
    found[1]["headers"].insert(0, strike.options.get("column", "NEW_COLUMN"))
    found[1]["rowSet"] = [[0, *row] for row in found[1]["rowSet"]]
    return _changed(strike, found[0])


@register("stats")
def season_shrinks(strike: Strike) -> Answer | None:
    """Only a `share` of the rows of a season is left, by default half."""
    found = _game_log(strike)
    if found is None:
        return None
    rows = found[1]["rowSet"]
    found[1]["rowSet"] = rows[: int(strike.options.get("share", 0.5) * len(rows))]
    return _changed(strike, found[0])


@register("stats", "cdn", "espn")
def box_score_missing(strike: Strike) -> Answer | None:
    """The box score of `game_id` is missing, by default that of the last row of a game log."""
    found = _game_log(strike)
    if found is not None:
        at = found[1]["headers"].index("GAME_ID")
        game = strike.options.get("game_id", found[1]["rowSet"][-1][at])
        found[1]["rowSet"] = [row for row in found[1]["rowSet"] if row[at] != game]
        return _changed(strike, found[0])
    known = strike.moment.game(strike.options.get("game_id", ""))
    if known is None:
        return None
    path = strike.request.path
    if path == f"liveData/boxscore/boxscore_{known[1].game_id}.json":
        return Answer(ACCESS_DENIED_XML, 403, XML)
    if path == "boxscoretraditionalv3" and strike.request.get("GameID") == known[1].game_id:
        return Answer({"Message": "An error has occurred."}, 500)
    if path == "summary" and strike.request.get("event") == event_id(known[1]):
        return _changed(strike, {**strike.answer.value, "boxscore": {"teams": []}})
    return None


@register("stats")
def box_score_corrected(strike: Strike) -> Answer | None:
    """A player of the game log has one field goal more.

    The player is `player_id` in the game `game_id`, by default that of the last row.
    """
    found = _game_log(strike)
    if found is None:
        return None
    headers, rows = found[1]["headers"], found[1]["rowSet"]
    last = dict(zip(headers, rows[-1], strict=True))
    chosen = [strike.options.get(o, last[c]) for o, c in _OPTIONS_OF_A_ROW]
    for at, cells in enumerate(rows):
        row = dict(zip(headers, cells, strict=True))
        if [row[column] for _, column in _OPTIONS_OF_A_ROW] == chosen:
            rows[at] = list(uncorrected(row).values())
            return _changed(strike, found[0])
    return None


_OPTIONS_OF_A_ROW = (("game_id", "GAME_ID"), ("player_id", "PLAYER_ID"))


def _schedule(strike: Strike) -> tuple[Json, list[Json]] | None:
    """Return a copy of a schedule or scoreboard, and its days with their games."""
    value = strike.answer.value
    if not isinstance(value, dict):
        return None
    if "leagueSchedule" in value:
        value = copy.deepcopy(value)
        days = value["leagueSchedule"]["gameDates"]
    elif "scoreboard" in value:
        value = copy.deepcopy(value)
        days = [value["scoreboard"]]
    else:
        return None
    return (value, days) if any(day["games"] for day in days) else None


def _chosen(strike: Strike, days: list[Json]) -> tuple[Json, Json]:
    """Return the day and the game of `game_id`, by default the first one from today on."""
    today = f"{strike.moment.today:%Y%m%d}"
    games = [(day, game) for day in days for game in day["games"]]
    chosen = strike.options.get("game_id")
    for day, game in games:
        if game["gameId"] == chosen or (chosen is None and game["gameCode"][:8] >= today):
            return day, game
    return games[-1]


def _changing_game(
    change: Callable[[Json, Strike], None],
) -> Callable[[Strike], Answer | None]:
    """Return a fault that changes the chosen game of a schedule."""

    def make(strike: Strike) -> Answer | None:
        found = _schedule(strike)
        if found is None:
            return None
        change(_chosen(strike, found[1])[1], strike)
        return _changed(strike, found[0])

    make.__name__ = change.__name__
    make.__doc__ = change.__doc__
    return make


def _adding_game(change: Callable[[Json, Strike], None]) -> Callable[[Strike], Answer | None]:
    """Return a fault that adds a changed copy of the chosen game to a schedule."""

    def make(strike: Strike) -> Answer | None:
        found = _schedule(strike)
        if found is None:
            return None
        day, game = _chosen(strike, found[1])
        added = copy.deepcopy(game)
        change(added, strike)
        day["games"].append(added)
        return _changed(strike, found[0])

    make.__name__ = change.__name__
    make.__doc__ = change.__doc__
    return make


def _rename(side: Json, number: int, name: str, tricode: str) -> None:
    side.update(teamId=number, teamName=name, teamCity="", teamTricode=tricode, teamSlug="")


@register("cdn", "stats")
@_changing_game
def schedule_false_z(game: Json, strike: Strike) -> None:
    """Local times end in `Z`. This is always so; the fault changes nothing."""


@register("cdn", "stats")
@_adding_game
def tbd_teams(game: Json, strike: Strike) -> None:
    """There is a game whose teams and time are not decided."""
    game["gameId"] = f"{game['gameId'][:5]}99001"
    game["gameCode"] = f"{game['gameCode'][:8]}/"
    game["gameStatus"], game["gameStatusText"] = 1, "TBD"
    for side in ("homeTeam", "awayTeam"):
        _rename(game[side], 0, "", "")
    game["homeTeam"]["teamTricode"] = None


@register("cdn", "stats")
@_adding_game
def guest_teams(game: Json, strike: Strike) -> None:
    """There is a preseason game against a team of another league."""
    game["gameId"] = f"001{game['gameId'][3:5]}99001"
    game["gameCode"] = f"{game['gameCode'][:8]}/SEM{game['homeTeam']['teamTricode']}"
    game["isNeutral"] = True
    _rename(game["awayTeam"], 50013, "South East Melbourne", "SEM")


@register("cdn", "stats")
@_adding_game
def all_star(game: Json, strike: Strike) -> None:
    """There is a game of teams that exist only for a day."""
    game["gameId"] = f"003{game['gameId'][3:5]}00001"
    game["gameCode"] = f"{game['gameCode'][:8]}/STRWLD"
    _rename(game["awayTeam"], 1610616833, "Stars", "STR")
    _rename(game["homeTeam"], 1610616834, "World", "WLD")


@_changing_game
def _postponed(game: Json, strike: Strike) -> None:
    game["gameStatus"], game["gameStatusText"] = 1, "PPD"
    if "postponedStatus" in game:
        game["postponedStatus"] = "Y"


@register("cdn", "stats", "espn")
def postponed(strike: Strike) -> Answer | None:
    """The game `game_id` is off, by default the first one of today."""
    if strike.request.provider != "espn":
        return _postponed(strike)
    value = copy.deepcopy(strike.answer.value)
    chosen = strike.options.get("game_id")
    for event in value.get("events", []):
        if chosen is None or event["id"] == f"4{chosen[2:]}":
            for status in (event["status"], event["competitions"][0]["status"]):
                status["type"].update(name="STATUS_POSTPONED", state="post", completed=False)
            return _changed(strike, value)
    return None


@register("cdn", "stats")
@_changing_game
def moved_tipoff(game: Json, strike: Strike) -> None:
    """The game `game_id` begins `minutes` later, by default 60; negative for earlier."""
    later = timedelta(minutes=strike.options.get("minutes", 60))
    for name in _TIMES:
        if name in game:
            # The times without a date have the year 1900.
            moved = datetime.fromisoformat(game[name].replace("Z", "+00:00")) + later
            day = "1900-01-01" if game[name].startswith("1900") else f"{moved:%Y-%m-%d}"
            game[name] = f"{day}T{moved:%H:%M:%S}Z"
    local = game.get("gameDateTimeEst") or game["gameEt"]
    start = datetime.fromisoformat(local.replace("Z", "-05:00"))
    if game["gameStatus"] == 1:
        half = "pm" if start.hour >= 12 else "am"
        game["gameStatusText"] = f"{start.hour % 12 or 12}:{start:%M} {half} ET"


_TIMES = (
    *("gameDateTimeEst", "gameDateTimeUTC", "gameTimeEst", "gameTimeUTC", "gameEt"),
    *("awayTeamTime", "homeTeamTime"),
)


@register("cdn")
def only_preseason(strike: Strike) -> Answer | None:
    """The schedule has preseason games and nothing else."""
    found = _schedule(strike)
    if found is None or "leagueSchedule" not in found[0]:
        return None
    days = found[1]
    left = _PRESEASON_GAMES
    for day in days:
        day["games"] = day["games"][:left]
        left -= len(day["games"])
        for game in day["games"]:
            game["gameId"] = f"001{game['gameId'][3:]}"
    found[0]["leagueSchedule"]["gameDates"] = [day for day in days if day["games"]]
    return _changed(strike, found[0])


@register("injury", replaces=True)
def reports_missing(strike: Strike) -> Answer | None:
    """The newest reports are missing: `slots` of 15 minutes, by default six."""
    made = time_of(strike.request.path)
    length = strike.options.get("slots", 6) * _SLOT
    if made is None or made > strike.moment.now or made <= strike.moment.now - length:
        return None
    return missing()


@register("injury", replaces=True)
def report_third_name(strike: Strike) -> Answer | None:
    """The names of reports have a third form, so all known names are missing."""
    return missing()


@register("injury")
def report_html_200(strike: Strike) -> Answer | None:
    """A page instead of a report, with status 200."""
    if not isinstance(strike.answer.value, Report):
        return None
    return Answer("<html><body>Access Denied</body></html>", 200, HTML)


@register("injury")
def report_of_yesterday(strike: Strike) -> Answer | None:
    """The report is that of the same time yesterday."""
    report = strike.answer.value
    if not isinstance(report, Report):
        return None
    day = timedelta(days=1)
    old = report_at(report.made - day, strike.moment)
    return _changed(strike, old or replace(report, masthead=report.made - day))


@register("injury")
def reason_over_page_break(strike: Strike) -> Answer | None:
    """A reason begins on the first page and ends on the second one."""
    report = strike.answer.value
    if not isinstance(report, Report) or all(len(line.reason) < 2 for line in report.lines):
        return None
    return _changed(strike, replace(report, splits_a_reason=True))


@register("injury")
def new_status(strike: Strike) -> Answer | None:
    """The first player has a status that the league did not have: `status`, or Day-To-Day."""
    report = strike.answer.value
    if not isinstance(report, Report) or not any(line.player for line in report.lines):
        return None
    lines = list(report.lines)
    at = next(n for n, line in enumerate(lines) if line.player)
    lines[at] = replace(lines[at], status=strike.options.get("status", "Day-To-Day"))
    return _changed(strike, replace(report, lines=tuple(lines)))


def _event(strike: Strike) -> tuple[Any, Json] | None:
    """Return a copy of an answer with odds, and its event; None without any book."""
    value = strike.answer.value
    event = value.get("data", value) if isinstance(value, dict) else None
    if not isinstance(event, dict) or not event.get("bookmakers"):
        return None
    value = copy.deepcopy(value)
    return value, value.get("data", value)


def _markets(event: Json) -> Iterator[Json]:
    for book in event["bookmakers"]:
        yield from book["markets"]


def _now(moment: Moment) -> str:
    return utc_text(moment.now - timedelta(seconds=20))


@register("odds")
def in_play_prices(strike: Strike) -> Answer | None:
    """The game has begun ten minutes ago, before its time, and the prices are those of the game."""
    found = _event(strike)
    if found is None:
        return None
    found[1]["commence_time"] = utc_text(strike.moment.now - timedelta(minutes=10))
    for market in _markets(found[1]):
        market["last_update"] = _now(strike.moment)
    for outcome in outcomes(found[1]["bookmakers"]):
        outcome["point"] += 6
    return _changed(strike, found[0])


@register("odds")
def moved_commence_time(strike: Strike) -> Answer | None:
    """The start moves by `seconds`, by default 757, in events and odds."""
    value = copy.deepcopy(strike.answer.value)
    events = value if isinstance(value, list) else [value]
    events = [event for event in events if isinstance(event, dict) and "commence_time" in event]
    for event in events:
        start = datetime.fromisoformat(event["commence_time"].replace("Z", "+00:00"))
        later = timedelta(seconds=strike.options.get("seconds", 757))
        event["commence_time"] = utc_text(start + later)
    return _changed(strike, value) if events else None


@register("odds")
def eight_lines(strike: Strike) -> Answer | None:
    """The first two books put eight lines of each player into one market."""
    found = _event(strike)
    if found is None:
        return None
    for book in found[1]["bookmakers"][:2]:
        for market in book["markets"]:
            first = market["outcomes"]
            market["outcomes"] = [
                {**outcome, "point": outcome["point"] + step, "price": _price(outcome, step)}
                for step in range(-4, 4)
                for outcome in first
                if outcome["point"] > 4
            ]
    return _changed(strike, found[0])


def _price(outcome: Json, step: int) -> float:
    """Return a price that is longer, the farther the line is from the main one."""
    if not step:
        price: float = outcome["price"]
        return price
    is_likely = (outcome["name"] == "Over") == (step < 0)
    return (-120 - 60 * abs(step)) if is_likely else (100 + 50 * abs(step))


@register("odds")
def one_sided(strike: Strike) -> Answer | None:
    """No book quotes the under."""
    found = _event(strike)
    if found is None:
        return None
    for market in _markets(found[1]):
        market["outcomes"] = [o for o in market["outcomes"] if o["name"] == "Over"]
    return _changed(strike, found[0])


@register("odds")
def integer_line(strike: Strike) -> Answer | None:
    """All lines are whole points."""
    found = _event(strike)
    if found is None:
        return None
    for outcome in outcomes(found[1]["bookmakers"]):
        outcome["point"] = int(outcome["point"] + 0.5)
    return _changed(strike, found[0])


@register("odds")
def unknown_player(strike: Strike) -> Answer | None:
    """The first player has a name that nobody has: `player`, or Nobody Knownn."""
    found = _event(strike)
    if found is None:
        return None
    first = next(outcomes(found[1]["bookmakers"]))["description"]
    for outcome in outcomes(found[1]["bookmakers"]):
        if outcome["description"] == first:
            outcome["description"] = strike.options.get("player", "Nobody Knownn")
    return _changed(strike, found[0])


@register("odds")
def unknown_book(strike: Strike) -> Answer | None:
    """There is a new book: `book`, or brandnewbook."""
    found = _event(strike)
    if found is None:
        return None
    added = copy.deepcopy(found[1]["bookmakers"][0])
    added.update(key=strike.options.get("book", "brandnewbook"), title="Brand New Book")
    found[1]["bookmakers"].append(added)
    return _changed(strike, found[0])
