"""What a run would see of a game date: games, players, lines, and the outcome of the input rows.

`to_json` has the form that `nba-predictions slate --json` prints. Scripts read its names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.betting.lines import main_lines
from nba_predictions.domain.betting.slate import Slate, SlatePlayer, games_begun
from nba_predictions.domain.league.games import season_of
from nba_predictions.domain.policies.input_gates import Finding, GateThresholds, Level
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.nightly.gates import findings_of
from nba_predictions.nightly.slate import slate_of

#: What the levels of the gates are called in the JSON.
RESULTS = {Level.GOOD: "pass", Level.UNSURE: "warn", Level.BELOW: "fail"}


@dataclass(frozen=True)
class SlatePreview:
    """The slate of a date as a source knows it at `as_of` (UTC), the gates and the inputs.

    `season_games` is the number of games in the current season by `player_lookup`.
    """

    source: str
    as_of: datetime
    slate: Slate
    season_games: Mapping[str, int]
    findings: Sequence[Finding]
    accounts: Sequence[InputAccount]

    @property
    def passes(self) -> bool:
        """Whether no gate is below its bar."""
        return all(finding.level is not Level.BELOW for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the preview with JSON types. Lines are numbers, times are ISO 8601 in UTC."""
        begun = games_begun(self.slate.games, self.as_of)
        return {
            "game_date": self.slate.game_date.isoformat(),
            "as_of": _time(self.as_of),
            "source": self.source,
            "games": [
                {
                    "game_id": game.game_id,
                    "tip_off": _time(game.tipoff),
                    "begun": game.game_id in begun,
                }
                for game in self.slate.games
            ],
            "players": [self._player(player) for player in self.slate.players],
            "skipped": [
                {"player_lookup": skip.player_lookup, "reason": skip.reason}
                for skip in self.slate.skips
            ],
            "gates": [
                {"name": f.gate, "result": RESULTS[f.level], "message": f.sentence}
                for f in self.findings
            ],
            "inputs": [_input(account) for account in self.accounts],
            "unmatched": [{"kind": u.kind, "name": u.name} for u in self.slate.unmatched],
        }

    def _player(self, player: SlatePlayer) -> dict[str, Any]:
        market = player.markets[0]
        return {
            "player_lookup": player.player_lookup,
            "player_id": player.player_id,
            "player_name": player.player_name,
            "team": player.team,
            "game_id": player.game_id,
            "games_this_season": self.season_games.get(player.player_lookup, 0),
            "base_line": None if market.base_line is None else float(market.base_line),
            "line_source": market.line_source,
            "books": sorted(main_lines(market.quotes)),
            "quotes": [
                {
                    "book": quote.book,
                    "side": quote.side,
                    "line": float(quote.line),
                    "price": quote.price,
                    "observed_at": _time(quote.quoted_at),
                }
                for quote in market.quotes
            ],
        }


def preview_slate(
    source: LeagueSource, game_date: date, as_of: datetime, thresholds: GateThresholds
) -> SlatePreview:
    """Return what a run at `as_of` would see of a date.

    Raises:
        SourceDataError: an input is refused.
    """
    known = source.known_at(as_of)
    slate = slate_of(known, game_date, as_of)
    logs = known.game_logs(game_date)
    this_season = logs.filter(pl.col("season") == season_of(game_date))
    games = this_season.group_by("player_lookup").len()
    return SlatePreview(
        source.name,
        as_of,
        slate,
        dict(games.iter_rows()),
        findings_of(known, slate, thresholds),
        known.accounts(game_date),
    )


def _input(account: InputAccount) -> dict[str, Any]:
    return {
        "kind": account.kind,
        "path": account.path,
        "read": account.read,
        "rows": account.rows,
        "used": account.used,
        "superseded": account.superseded,
        "rejected": [
            {"row": r.row, "column": r.column, "reason": r.reason} for r in account.rejected
        ],
        "dropped": dict(account.dropped),
        "note": account.note,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
