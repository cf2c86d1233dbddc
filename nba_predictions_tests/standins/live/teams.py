"""The thirty teams as each service writes them."""

from __future__ import annotations

from dataclasses import dataclass

from nba_predictions.domain.league.games import TEAM_ALIASES, TEAM_NAMES

_FIRST_ID = 1610612737
#: In the order of the ids of stats.nba.com.
_TRICODES = (
    *("ATL", "BOS", "CLE", "NOP", "CHI", "DAL", "DEN", "GSW", "HOU", "LAC", "LAL", "MIA", "MIL"),
    *("MIN", "BKN", "NYK", "ORL", "IND", "PHI", "PHX", "POR", "SAC", "SAS", "OKC", "TOR", "UTA"),
    *("MEM", "WAS", "DET", "CHA"),
)
_NICKNAMES_OF_TWO_WORDS = ("Trail Blazers",)
_ESPN = {TEAM_ALIASES[alias]: alias for alias in ("GS", "NO", "NY", "SA", "UTAH", "WSH")}


@dataclass(frozen=True)
class Team:
    """A team. `full_name` is that of the NBA; The Odds API has another one for the Clippers."""

    tricode: str
    team_id: int
    full_name: str

    @property
    def nickname(self) -> str:
        two = " ".join(self.full_name.split()[-2:])
        return two if two in _NICKNAMES_OF_TWO_WORDS else self.full_name.split()[-1]

    @property
    def city(self) -> str:
        return self.full_name.removesuffix(self.nickname).strip()

    @property
    def slug(self) -> str:
        return self.nickname.lower().replace(" ", "")

    @property
    def espn(self) -> str:
        return _ESPN.get(self.tricode, self.tricode)

    @property
    def odds_name(self) -> str:
        return "Los Angeles Clippers" if self.tricode == "LAC" else self.full_name


# "LA Clippers" comes after "Los Angeles Clippers", and the NBA uses it.
_FULL_NAMES = {tricode: name for name, tricode in TEAM_NAMES.items()}
TEAMS: dict[str, Team] = {
    tricode: Team(tricode, _FIRST_ID + number, _FULL_NAMES[tricode])
    for number, tricode in enumerate(_TRICODES)
}
