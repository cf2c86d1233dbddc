"""Store the values that assets pass to each other: frames as Parquet, all other values as JSON.

Each partition has its own file. The inputs of a night are therefore kept, and any step can be run
again by itself.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import TypeAdapter, ValidationError
from upath import UPath

from nba_predictions import __version__
from nba_predictions.domain.errors import SchemaMismatchError


class FrameIOManager(dg.UPathIOManager):
    """polars frames as Parquet files."""

    extension = ".parquet"

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame, path: UPath) -> None:
        with path.open("wb") as file:
            obj.write_parquet(file)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.DataFrame:
        with path.open("rb") as file:
            return pl.read_parquet(file)


class JsonIOManager(dg.UPathIOManager):
    """Typed values (dataclasses of the domain, strings) as JSON files."""

    extension = ".json"

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        path.write_bytes(TypeAdapter(type(obj)).dump_json(obj, indent=1))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        try:
            return TypeAdapter(context.dagster_type.typing_type).validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise SchemaMismatchError(
                f"{path} is damaged, or version {__version__} cannot read it ({field}: "
                f"{first['msg']}); materialize {context.asset_key.to_user_string()} of "
                f"{context.asset_partition_key} again. Nothing was written."
            ) from None


def assets_folder(home: Path) -> Path:
    """Return the folder with the stored values of all assets."""
    return home / "assets"


def stored_frame(home: Path, asset: str, partition: str) -> pl.DataFrame | None:
    """Return the frame that the last run of a partition stored, None before the first run."""
    path = assets_folder(home) / asset / f"{partition}{FrameIOManager.extension}"
    return pl.read_parquet(path) if path.is_file() else None


class FrameIOManagerResource(dg.ConfigurableIOManagerFactory[FrameIOManager]):
    """The frames that assets pass to each other, as Parquet files in a folder."""

    folder: str

    def create_io_manager(self, context: dg.InitResourceContext) -> FrameIOManager:
        return FrameIOManager(UPath(self.folder))


class JsonIOManagerResource(dg.ConfigurableIOManagerFactory[JsonIOManager]):
    """The other values that assets pass to each other, as JSON files in a folder."""

    folder: str

    def create_io_manager(self, context: dg.InitResourceContext) -> JsonIOManager:
        return JsonIOManager(UPath(self.folder))


def io_managers(folder: Path) -> dict[str, Any]:
    """Return the resources with the IO managers, by the resource keys that the assets name."""
    return {
        "frames": FrameIOManagerResource(folder=str(folder)),
        "values": JsonIOManagerResource(folder=str(folder)),
    }
