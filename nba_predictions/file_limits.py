"""Limit what a Parquet, CSV or zip file may expand to in memory, before it is read.

A damaged or hostile file of a few megabytes can claim billions of values. The process would end
without a message when its memory is used up.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

#: The largest size of one table in memory. A season of box scores needs about 0.05 GB.
LARGEST_TABLE_BYTES: Final = 4 * 1024**3
#: The largest content of a zip file. Trained models need about 1 MB.
LARGEST_ZIP_BYTES: Final = 512 * 1024**2
#: The bytes that polars needs for a value in addition to the text itself.
_BYTES_PER_VALUE: Final = 16
_COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
}
_CHUNK_BYTES: Final = 1 << 20


class FileTooLargeError(ValueError):
    """A file claims to be larger than the limit. The message has both sizes, but not the file."""

    def __init__(self, claimed: int, limit: int) -> None:
        super().__init__(
            f"it expands to {claimed / 1024**3:.1f} GB or more, and the limit is "
            f"{limit / 1024**3:.1f} GB"
        )


def check_parquet_size(
    source: Path | BinaryIO | pa.NativeFile,
    columns: Collection[str] | None = None,
    *,
    limit: int = LARGEST_TABLE_BYTES,
) -> None:
    """Check the size in memory that the footer of a Parquet file claims.

    Args:
        source: the file.
        columns: the columns that will be read, by default all.
        limit: in bytes.

    Raises:
        FileTooLargeError: the claimed size exceeds the limit.
        pyarrow.ArrowException, OSError: the footer cannot be read.
    """
    footer = pq.read_metadata(source)
    size = 0
    for group in range(footer.num_row_groups):
        rows = footer.row_group(group).num_rows
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            if columns is None or column.path_in_schema.partition(".")[0] in columns:
                # Repeated values need few bytes in the file, but not in memory.
                values = max(rows, column.num_values)
                size += column.total_uncompressed_size + _BYTES_PER_VALUE * values
    if size > limit:
        raise FileTooLargeError(size, limit)


def csv_compression(path: Path) -> str | None:
    """Return the compression by which a file begins, whatever its name is; None if there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    return next((n for magic, n in _COMPRESSIONS.items() if start.startswith(magic)), None)


def check_csv_size(path: Path, *, limit: int = LARGEST_TABLE_BYTES) -> None:
    """Check the size in memory of a CSV file, which may be compressed.

    Raises:
        FileTooLargeError: the table would exceed the limit.
        pyarrow.ArrowException, OSError: the file cannot be read or decompressed.
    """
    for _ in _csv_chunks(path, limit):
        pass


def decompressed_csv(path: Path, *, limit: int = LARGEST_TABLE_BYTES) -> bytes:
    """Return the content of a compressed CSV file. At most the limit is held in memory.

    Raises:
        FileTooLargeError: the table would exceed the limit.
        pyarrow.ArrowException, OSError: the file cannot be read or decompressed.
    """
    return b"".join(_csv_chunks(path, limit))


def _csv_chunks(path: Path, limit: int) -> Iterator[bytes]:
    size = 0
    with pa.input_stream(path, compression=csv_compression(path)) as content:
        while chunk := content.read(_CHUNK_BYTES):
            values = chunk.count(b",") + chunk.count(b"\n")
            size += len(chunk) + _BYTES_PER_VALUE * values
            if size > limit:
                raise FileTooLargeError(size, limit)
            yield chunk


def check_zip_size(archive: zipfile.ZipFile, *, limit: int = LARGEST_ZIP_BYTES) -> None:
    """Check the size that the directory of a zip file claims. Reading a member never exceeds it.

    Raises:
        FileTooLargeError: the claimed size exceeds the limit.
    """
    size = sum(member.file_size for member in archive.infolist())
    if size > limit:
        raise FileTooLargeError(size, limit)
