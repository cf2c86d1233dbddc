"""The partitions: one per game date, and one per player on a game date.

`game_dates` partitions every asset except `player_staging`, which is partitioned by
`player_nights`. https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import re
import warnings
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, TypeVar

import dagster as dg

from nba_predictions.domain.league.games import EASTERN

_Definition = TypeVar("_Definition", bound=dg.AssetsDefinition)


def game_dates_from(first: date) -> dg.DailyPartitionsDefinition:
    """Return the partitions of all game dates from `first` to today, US Eastern."""
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(), timezone=str(EASTERN), end_offset=1
    )


#: One partition per game date. Assets and checks are declared with these; `starting_at` replaces
#: them by the partitions of a source.
game_dates = game_dates_from(date(2000, 10, 1))

#: One partition per player of a batch, for example `2026-01-01:paulgeorge`.
player_nights = dg.DynamicPartitionsDefinition(name="player_nights")

#: Version 0.1.0 wrote `2026-01-01|paulgeorge`. Dagster reads `|` as the separator of the
#: dimensions of a partition, so the partition could not be launched from its own page.
_SEPARATOR, _OLD_SEPARATOR = ":", "|"
_PLAYER_KEY = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})[:|](?P<player_lookup>.+)")


def asset_of_date(
    group: str, kinds: set[str], *, owner: str = "data-engineering", **attributes: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the decorator of an asset with a partition per game date."""
    owners = [f"team:{owner}"]
    return dg.asset(
        partitions_def=game_dates, group_name=group, kinds=kinds, owners=owners, **attributes
    )


def starting_at(first: date | None, definitions: Iterable[_Definition]) -> list[_Definition]:
    """Return assets or checks whose game dates start at `first`, the first date of the source.

    Otherwise the UI counts the dates before it as missing. If `first` is None, the partitions are
    unchanged.
    """
    dates = game_dates if first is None else game_dates_from(first)
    return [_with_game_dates(definition, dates) for definition in definitions]


def _with_game_dates(definition: _Definition, dates: dg.DailyPartitionsDefinition) -> _Definition:
    attributes: dict[str, Any] = definition.get_attributes_dict()
    # A beta argument. Its default is correct here.
    del attributes["execution_type"]
    attributes["specs"] = [
        spec.replace_attributes(partitions_def=dates) if spec.partitions_def == game_dates else spec
        for spec in definition.specs
    ]
    attributes["check_specs_by_output_name"] = {
        name: partitioned_check_spec(
            spec.name,
            asset=spec.asset_key,
            description=spec.description,
            additional_deps=spec.additional_deps,
            blocking=spec.blocking,
            metadata=spec.metadata,
            partitions_def=dates,
        )
        for name, spec in definition.check_specs_by_output_name.items()
    }
    return type(definition)(**attributes)


def partitioned_check_spec(
    name: str, *, partitions_def: dg.PartitionsDefinition = game_dates, **attributes: Any
) -> dg.AssetCheckSpec:
    """Return the spec of a check that has one result per game date.

    Without `partitions_def`, Dagster keeps the check of a partition in the state "planned".
    """
    with warnings.catch_warnings():
        # Partitioned checks are in preview.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, partitions_def=partitions_def, **attributes)


def game_date_of(partition_key: str) -> date:
    """Return the date of a partition key of `game_dates`."""
    return datetime.strptime(partition_key, "%Y-%m-%d").replace(tzinfo=EASTERN).date()


def player_partition_key(game_date: date, player_lookup: str) -> str:
    """Return the key in `player_nights` of a player on a game date."""
    return f"{game_date.isoformat()}{_SEPARATOR}{player_lookup}"


def parse_player_partition_key(partition_key: str) -> tuple[date, str]:
    """Return the game date and the player of a key of `player_nights`, current or old.

    Raises:
        ValueError: the key has another form.
    """
    match = _PLAYER_KEY.fullmatch(partition_key)
    if match is None:
        raise ValueError(
            f"{partition_key!r} is not the partition of a player; expected 2026-01-01:paulgeorge"
        )
    return game_date_of(match["date"]), match["player_lookup"]


def is_old_player_partition_key(partition_key: str) -> bool:
    """Return whether an older version wrote a key of `player_nights`."""
    match = _PLAYER_KEY.fullmatch(partition_key)
    return match is not None and partition_key[match.end("date")] == _OLD_SEPARATOR


def date_in(partition_key: str | None) -> date | None:
    """Return the game date in a partition key of either kind, None if it contains none."""
    try:
        return game_date_of(re.split("[:|]", partition_key or "", maxsplit=1)[0])
    except ValueError:
        return None
