"""How assets hand data to each other: frames as Parquet, everything else as JSON, per partition.

What a night was given is so kept beside what it made, and any step can be run again alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import TypeAdapter
from upath import UPath


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
    """Typed values (dataclasses of the domain, plain text) as JSON."""

    extension = ".json"

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        path.write_bytes(TypeAdapter(type(obj)).dump_json(obj, indent=1))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        return TypeAdapter(context.dagster_type.typing_type).validate_json(path.read_bytes())


def assets_folder(home: Path) -> Path:
    """Return where the values of all assets are kept."""
    return home / "assets"


def stored_frame(home: Path, asset: str, partition: str) -> pl.DataFrame | None:
    """Return the frame that the last run of a partition has stored; None before the first."""
    path = assets_folder(home) / asset / f"{partition}{FrameIOManager.extension}"
    return pl.read_parquet(path) if path.is_file() else None


def io_managers(folder: Path) -> dict[str, dg.IOManager]:
    """Return the IO managers by the resource keys that the assets name."""
    return {"frames": FrameIOManager(UPath(folder)), "values": JsonIOManager(UPath(folder))}
