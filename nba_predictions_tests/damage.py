"""Ways to damage a stored file: truncated, emptied, of another name, or with a flipped bit."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def truncated(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def without_its_last_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    """Replace the content by zeros: what a power failure leaves of a file that was not synced."""
    path.write_bytes(bytes(path.stat().st_size))


def foreign(path: Path) -> None:
    """Replace the file by an intact file of the same kind, which has another name."""
    others = [p for p in path.parent.parent.rglob(f"*{path.suffix}") if p.is_file() and p != path]
    # Files of the same folder first: these have the same columns.
    others.sort(key=lambda p: (p.parent != path.parent, p))
    own = path.read_bytes()
    path.write_bytes(next(raw for p in others if (raw := p.read_bytes()) != own))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "content").write_text("of another program", "utf-8")


def flipped(path: Path) -> None:
    """Flip one bit, at a position that depends only on the name of the file."""
    raw = bytearray(path.read_bytes())
    position = random.Random(path.name).randrange(len(raw))
    raw[position] ^= 1 << position % 8
    path.write_bytes(raw)


def flipped_at_the_start(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)


def flipped_at_the_end(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 4
    path.write_bytes(raw)


def remove(path: Path) -> None:
    """Remove a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


DAMAGES: tuple[Damage, ...] = (
    truncated,
    without_its_last_byte,
    emptied,
    zeroed,
    foreign,
    a_folder,
    flipped,
    flipped_at_the_start,
    flipped_at_the_end,
)
