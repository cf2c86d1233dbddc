"""The commands `models list`, `models promote` and `models rollback`."""

from datetime import date
from typing import Any

import polars as pl

from nba_predictions.backtest.challenge import challenge
from nba_predictions.cli.homes import describe_home
from nba_predictions.cli.output import print_frame
from nba_predictions.definitions import league_source
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.logs import milestone
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotions

_COLUMNS = {
    "models": pl.String,
    "cutoff": pl.String,
    "trained_from": pl.String,
    "trained_through": pl.String,
    "rows": pl.Int64,
    "held_out_error": pl.Float64,
    "in_force": pl.String,
}
_FROM_CARD = ("cutoff", "trained_from", "trained_through", "rows")
_NONE_PROMOTED = "each week's own models"


def print_models(settings: Settings) -> int:
    """Print the stored models with the figures of their cards."""
    store = ModelStore(settings.home / "models")
    in_force = Promotions(store.folder).in_force()
    rows: list[dict[str, Any]] = []
    for name in store.names():
        try:
            stored = store.load(name)
        except DamagedFileError as error:
            rows.append({"models": name, "cutoff": str(error).partition(";")[0]})
            continue
        card = stored.card if stored else {}
        held_out = card.get("metrics", {}).get("ensemble", {})
        rows.append(
            {
                "models": name,
                **{name: card.get(name) for name in _FROM_CARD},
                "held_out_error": held_out.get("mean_absolute_error"),
                "in_force": "yes" if in_force and in_force.name == name else "",
            }
        )
    print(f"home {describe_home(settings)}")
    print_frame(pl.DataFrame(rows, schema=_COLUMNS))
    print(f"IN FORCE {in_force.name if in_force else _NONE_PROMOTED}")
    return 0


def promote_models(settings: Settings, name: str, until: date | None, *, force: bool) -> int:
    """Promote models; return 1 if the comparison keeps the current ones."""
    store = ModelStore(settings.home / "models")
    until = until or eastern_date(utc_now())
    result = challenge(league_source(settings).open(), store, until, name, force=force)
    if result.promoted:
        print(f"PROMOTED {name}: {result.reason}")
        return 0
    print(f"KEPT {result.in_force}: of {name}, {result.reason}")
    return 1


def roll_back(settings: Settings) -> int:
    """Take back the last promotion."""
    promotions = Promotions(settings.home / "models")
    removed = promotions.roll_back()
    in_force = promotions.in_force()
    name = in_force.name if in_force else _NONE_PROMOTED
    milestone("models_rolled_back", f"{name} in force again", models=name, before=removed.name)
    print(f"ROLLED BACK {removed.name}; IN FORCE {name}")
    return 0
