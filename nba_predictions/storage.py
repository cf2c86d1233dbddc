"""The error for a file with stored data that this process cannot use."""

from __future__ import annotations

import os
from pathlib import Path

from nba_predictions.domain.errors import StorageError


def cannot_open(path: Path, reason: str) -> StorageError:
    """Return the error for a file that is damaged or closed to this user.

    The message has the owner and the permissions of what denies the access.
    """
    return StorageError(
        f"{path} cannot be used: {reason}{_access(path)}; correct its permissions, or restore it "
        f"from a backup"
    )


def _access(path: Path) -> str:
    """Return who owns the file or its folder, if this process may not write there."""
    try:
        existing = next(found for found in (path, *path.parents) if found.exists())
        if os.access(existing, os.R_OK | os.W_OK):
            return ""
        status = existing.stat()
    except OSError:
        return ""
    return (
        f" ({existing} has mode {status.st_mode & 0o777:o} and owner {status.st_uid}; this user is "
        f"{os.geteuid()})"
    )
