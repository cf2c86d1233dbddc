"""Games: their identifiers, their teams, their dates."""

import re
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")

_GAME_ID = re.compile(r"[0-9]{8}_[A-Z0-9]{2,4}_[A-Z0-9]{2,4}")

TEAM_NAMES: dict[str, str] = {
    "Atlanta Hawks": "ATL",
    "Boston Celtics": "BOS",
    "Brooklyn Nets": "BKN",
    "Charlotte Hornets": "CHA",
    "Chicago Bulls": "CHI",
    "Cleveland Cavaliers": "CLE",
    "Dallas Mavericks": "DAL",
    "Denver Nuggets": "DEN",
    "Detroit Pistons": "DET",
    "Golden State Warriors": "GSW",
    "Houston Rockets": "HOU",
    "Indiana Pacers": "IND",
    "Los Angeles Clippers": "LAC",
    "LA Clippers": "LAC",
    "Los Angeles Lakers": "LAL",
    "Memphis Grizzlies": "MEM",
    "Miami Heat": "MIA",
    "Milwaukee Bucks": "MIL",
    "Minnesota Timberwolves": "MIN",
    "New Orleans Pelicans": "NOP",
    "New York Knicks": "NYK",
    "Oklahoma City Thunder": "OKC",
    "Orlando Magic": "ORL",
    "Philadelphia 76ers": "PHI",
    "Phoenix Suns": "PHX",
    "Portland Trail Blazers": "POR",
    "Sacramento Kings": "SAC",
    "San Antonio Spurs": "SAS",
    "Toronto Raptors": "TOR",
    "Utah Jazz": "UTA",
    "Washington Wizards": "WAS",
}

#: Abbreviations that other providers use for the same teams. One game under two abbreviations
#: would be two games.
TEAM_ALIASES: dict[str, str] = {
    "BRK": "BKN",
    "CHO": "CHA",
    "GS": "GSW",
    "NO": "NOP",
    "NY": "NYK",
    "PHO": "PHX",
    "SA": "SAS",
    "UTAH": "UTA",
    "WSH": "WAS",
}


def make_game_id(game_date: date, away: str, home: str) -> str:
    """Return the one form of game_id used here, `YYYYMMDD_AWAY_HOME`.

    >>> make_game_id(date(2026, 1, 1), "PHI", "DAL")
    '20260101_PHI_DAL'

    Raises:
        ValueError: a team is not a two- to four-letter abbreviation, or plays itself.
    """
    game_id = f"{game_date:%Y%m%d}_{away}_{home}"
    if not _GAME_ID.fullmatch(game_id) or away == home:
        raise ValueError(f"no game can be made of away team {away!r} and home team {home!r}")
    return game_id


def team_abbreviation(team: str) -> str | None:
    """Return the abbreviation for a full team name or an abbreviation, None if it is neither.

    An abbreviation that is not among the NBA's passes (history and other leagues have their own),
    but for the aliases of those that are.

    >>> team_abbreviation("Phoenix Suns"), team_abbreviation("PHO"), team_abbreviation("Suns")
    ('PHX', 'PHX', None)
    """
    if team in TEAM_NAMES:
        return TEAM_NAMES[team]
    return TEAM_ALIASES.get(team, team) if re.fullmatch(r"[A-Z0-9]{2,4}", team) else None


def season_of(game_date: date) -> str:
    """Return the season a date belongs to, from August to July: `2024-25`."""
    start = game_date.year if game_date.month >= 8 else game_date.year - 1
    return f"{start}-{(start + 1) % 100:02d}"


def eastern_date(moment: datetime) -> date:
    """Return the game_date of a moment: its date in US Eastern time.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; pass an aware datetime")
    return moment.astimezone(EASTERN).date()


def start_of_eastern_day(day: date) -> datetime:
    """Return midnight US Eastern at the start of `day`, as UTC."""
    return datetime.combine(day, time(), tzinfo=EASTERN).astimezone(timezone.utc)


def end_of_eastern_day(day: date) -> datetime:
    """Return midnight US Eastern at the end of `day`, as UTC."""
    return start_of_eastern_day(day + timedelta(days=1))


def night_is_over(day: date, moment: datetime) -> bool:
    """Return whether the games of `day` are over at a moment: from 6:00 US Eastern on the next day.

    Late games end after midnight.
    """
    return moment >= datetime.combine(day + timedelta(days=1), time(6), tzinfo=EASTERN)
