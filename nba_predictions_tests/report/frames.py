"""Frames like the results of the report's queries, with a given number of players and dates."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from nba_predictions.report.formatting import Schema

SYSTEMS = (
    *("ensemble", "market_blend", "moving_average", "similarity", "xgboost", "zone_matchup"),
)

AT_BASE: Schema = {
    **dict.fromkeys(("player_lookup", "game_id", "team", "opponent", "system_id"), pl.String),
    "player_id": pl.Int64,
    "base_line": pl.Decimal(5, 1),
    "line_source": pl.String,
    "books": pl.Int64,
    "predicted_points": pl.Float64,
    "over_probability": pl.Float64,
    "recommendation": pl.String,
}
BUCKETS: Schema = {
    "market": pl.String,
    "system_id": pl.String,
    **dict.fromkeys(("bucket", "row_count"), pl.Int64),
    **dict.fromkeys(("said", "came"), pl.Float64),
}
GRADED: Schema = {
    "market": pl.String,
    "system_id": pl.String,
    **dict.fromkeys(("error_with_line", "error_of_line"), pl.Float64),
    "with_line": pl.Int64,
}
BY_DATE: Schema = {
    "game_date": pl.Date,
    "market": pl.String,
    "system_id": pl.String,
    "player_games": pl.Int64,
    **dict.fromkeys(("mean_absolute_error", "error_of_line"), pl.Float64),
}


def at_base(players: int, systems: tuple[str, ...] = SYSTEMS) -> pl.DataFrame:
    """Return one row per player and system. Every fourth player has no line."""
    rows = []
    for n in range(players):
        line = None if n % 4 == 3 else f"{5 + n % 20}.5"
        for s, system in enumerate(systems):
            over = None if line is None else (0.2 + 0.07 * s + n * 0.013) % 1
            recommendation = "NO_LINE" if over is None else ("UNDER", "PASS", "OVER")[int(over * 3)]
            rows.append(
                {
                    "player_lookup": f"player{n:03}",
                    "player_id": n,
                    "game_id": "20260101_PHI_DAL",
                    "team": "PHI",
                    "opponent": "DAL",
                    "market": "points",
                    "system_id": system,
                    "base_line": line,
                    "line_source": "none" if line is None else "sportsbook",
                    "books": 0 if line is None else 1 + n % 3,
                    "predicted_points": 4.0 + n % 23 + 0.3 * s,
                    "over_probability": over,
                    "recommendation": recommendation,
                }
            )
    frame = pl.DataFrame(rows, schema={**AT_BASE, "base_line": pl.String})
    return frame.with_columns(pl.col("base_line").cast(pl.Decimal(5, 1)))


def buckets(rows: int, tenths: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        [("points", s, b, rows, b / 10 + 0.05, b / 11) for s in SYSTEMS for b in range(tenths)],
        schema=BUCKETS,
        orient="row",
    )


def graded(systems: int = len(SYSTEMS)) -> pl.DataFrame:
    rows = [("points", s, 4.5 + n / 10, 4.7, 100) for n, s in enumerate(SYSTEMS[:systems])]
    return pl.DataFrame(rows, schema=GRADED, orient="row")


def by_date(dates: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                date(2026, 1, 1) + timedelta(days=d),
                "points",
                s,
                100,
                4.5 + (d * 7 + n) % 11 / 10,
                4.6,
            )
            for d in range(dates)
            for n, s in enumerate(SYSTEMS)
        ],
        schema=BY_DATE,
        orient="row",
    )
