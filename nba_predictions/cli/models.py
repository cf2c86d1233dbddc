"""Which trained models serve the nights: `models list`, `models promote`, `models rollback`."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.cli.common import Commands, add_command
from nba_predictions.cli.output import print_frame
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.logs import milestone
from nba_predictions.settings import Settings
from nba_predictions.training.promotions import Promotions


def add_commands(commands: Commands) -> None:
    """Add `models list`, `models promote` and `models rollback`."""
    group = commands.add_parser("models", help="see and decide which trained models serve")
    models = group.add_subparsers(required=True)
    add_command(models, "list", show, "the stored models, and which of them is in force")
    sub = add_command(
        models, "promote", promote, "put models in force, if they beat the present ones"
    )
    sub.add_argument("name", help="as `models list` names them")
    sub.add_argument(
        "--until",
        type=date.fromisoformat,
        help="compare on games before this date (default: today, US Eastern)",
    )
    sub.add_argument("--force", action="store_true", help="promote whatever the comparison says")
    add_command(models, "rollback", rollback, "take back the last promotion")


def show(settings: Settings, options: argparse.Namespace) -> int:
    """List the stored models with what their cards say."""
    from nba_predictions.training.model_store import ModelStore

    store = ModelStore(settings.home / "models")
    in_force = Promotions(store.folder).in_force()
    rows: list[dict[str, Any]] = []
    for name in store.names():
        try:
            found = store.load(name)
        except ValueError as error:
            rows.append({"models": name, "cutoff": str(error).partition(";")[0]})
            continue
        card = found.card if found else {}
        held_out = card.get("metrics", {}).get("ensemble", {})
        rows.append(
            {
                "models": name,
                "cutoff": card.get("cutoff"),
                "trained_from": card.get("trained_from"),
                "trained_through": card.get("trained_through"),
                "rows": card.get("rows"),
                "held_out_error": held_out.get("mean_absolute_error"),
                "in_force": "yes" if in_force and in_force.name == name else "",
            }
        )
    print_frame(pl.DataFrame(rows, schema=_LISTED))
    print(f"IN FORCE {in_force.name if in_force else 'of each week its own'}")
    return 0


_LISTED = {
    "models": pl.String,
    "cutoff": pl.String,
    "trained_from": pl.String,
    "trained_through": pl.String,
    "rows": pl.Int64,
    "held_out_error": pl.Float64,
    "in_force": pl.String,
}


def promote(settings: Settings, options: argparse.Namespace) -> int:
    """Put models in force; 1 when the comparison keeps those that are."""
    from nba_predictions.backtest.challenge import challenge
    from nba_predictions.definitions import league_source
    from nba_predictions.training.model_store import ModelStore

    store = ModelStore(settings.home / "models")
    until = options.until or eastern_date(utc_now())
    ended = challenge(league_source(settings), store, until, options.name, force=options.force)
    if ended.promoted:
        print(f"PROMOTED {options.name}: {ended.reason}")
        return 0
    print(f"KEPT {ended.in_force}: of {options.name}, {ended.reason}")
    return 1


def rollback(settings: Settings, options: argparse.Namespace) -> int:
    """Take back the last promotion."""
    promotions = Promotions(settings.home / "models")
    gone = promotions.roll_back()
    now = promotions.in_force()
    serving = now.name if now else "of each week its own"
    milestone("models_rolled_back", f"{serving} in force again", models=serving, before=gone.name)
    print(f"ROLLED BACK {gone.name}; IN FORCE {serving}")
    return 0
