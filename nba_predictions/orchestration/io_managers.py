"""Store the values that assets pass to each other: frames as Parquet, all other values as JSON.

Each partition has its own sealed file (`durable_files`). The inputs of a night are therefore kept,
and any step can be run again by itself.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import TypeAdapter, ValidationError
from upath import UPath

from nba_predictions import __version__
from nba_predictions.domain.errors import DamagedFileError, SchemaMismatchError
from nba_predictions.durable_files import SealedFolder


class _SealedIOManager(dg.UPathIOManager):
    """Values as sealed files, in a local folder.

    A damaged file is not loaded. The next materialization of its asset writes it again.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(UPath(folder))
        self._files = SealedFolder(folder)

    def _write(self, path: UPath, content: bytes) -> None:
        self._files.write(Path(str(path)), content)

    @contextmanager
    def _explaining_damage(self, context: dg.InputContext) -> Iterator[None]:
        try:
            yield
        except DamagedFileError as error:
            raise DamagedFileError(f"{error}; {_how_to_remake(context)}") from None


class FrameIOManager(_SealedIOManager):
    """polars frames as Parquet files."""

    extension = ".parquet"

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame, path: UPath) -> None:
        content = io.BytesIO()
        obj.write_parquet(content)
        self._write(path, content.getvalue())

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.DataFrame:
        with self._explaining_damage(context):
            return _frame(self._files, Path(str(path)))


class JsonIOManager(_SealedIOManager):
    """Typed values (dataclasses of the domain, strings) as JSON files."""

    extension = ".json"

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        self._write(path, TypeAdapter(type(obj)).dump_json(obj, indent=1))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        with self._explaining_damage(context):
            content = self._files.read(Path(str(path))).content
        try:
            return TypeAdapter(context.dagster_type.typing_type).validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise SchemaMismatchError(
                f"{path} is damaged, or version {__version__} cannot read it ({field}: "
                f"{first['msg']}); {_how_to_remake(context)}"
            ) from None


def _how_to_remake(context: dg.InputContext) -> str:
    return (
        f"materialize {context.asset_key.to_user_string()} of {context.asset_partition_key} again, "
        f"or run `nba-predictions run --game-date {context.asset_partition_key}`, which makes all "
        "inputs of the date again. Nothing was written."
    )


def assets_folder(home: Path) -> Path:
    """Return the folder with the stored values of all assets."""
    return home / "assets"


def stored_frame(home: Path, asset: str, partition: str) -> pl.DataFrame | None:
    """Return the frame that the last run of a partition stored; None if there is none.

    A damaged file counts as missing.
    """
    folder = assets_folder(home)
    path = folder / asset / f"{partition}{FrameIOManager.extension}"
    try:
        return _frame(SealedFolder(folder), path)
    except (FileNotFoundError, DamagedFileError):
        return None


def unusable_value(home: Path, asset: str, partition: str) -> str | None:
    """Return why the stored value of an asset cannot be used, None if it can."""
    folder = assets_folder(home)
    paths = list((folder / asset).glob(f"{partition}.*"))
    if not paths:
        return f"the stored {asset} of {partition} is missing"
    try:
        SealedFolder(folder).read(paths[0])
    except FileNotFoundError:
        return f"the stored {asset} of {partition} is missing"
    except DamagedFileError as error:
        return str(error)
    return None


def stored_models_name(home: Path, partition: str) -> str:
    """Return the name of the models that the last run of a partition used.

    Raises:
        FileNotFoundError: no run stored it.
        DamagedFileError: the file is damaged.
    """
    folder = assets_folder(home)
    path = folder / "prediction_models" / f"{partition}{JsonIOManager.extension}"
    return str(json.loads(SealedFolder(folder).read(path).content))


def _frame(files: SealedFolder, path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(files.read(path).content)
    # A file without a seal may have flipped bits. polars reports some of them by a panic.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from None


class FrameIOManagerResource(dg.ConfigurableIOManagerFactory[FrameIOManager]):
    """The frames that assets pass to each other, as Parquet files in a folder."""

    folder: str

    def create_io_manager(self, context: dg.InitResourceContext) -> FrameIOManager:
        return FrameIOManager(Path(self.folder))


class JsonIOManagerResource(dg.ConfigurableIOManagerFactory[JsonIOManager]):
    """The other values that assets pass to each other, as JSON files in a folder."""

    folder: str

    def create_io_manager(self, context: dg.InitResourceContext) -> JsonIOManager:
        return JsonIOManager(Path(self.folder))


def io_managers(folder: Path) -> dict[str, Any]:
    """Return the resources with the IO managers, by the resource keys that the assets name."""
    return {
        "frames": FrameIOManagerResource(folder=str(folder)),
        "values": JsonIOManagerResource(folder=str(folder)),
    }
