"""Store trained models: one file each, named by cutoff and fingerprint of the training."""

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from nba_predictions.domain.errors import DamagedFileError
from nba_predictions.durable_files import SealedFolder
from nba_predictions.systems.trained_models import TrainedModels


@dataclass(frozen=True)
class ModelStore:
    """The models in `folder`. All of them can be trained again."""

    folder: Path

    def load(self, name: str) -> TrainedModels | None:
        """Return the models of that name, None if none are stored. A process reads a file once.

        Raises:
            DamagedFileError: the file is damaged, or was written by another version.
        """
        path = self._path(name)
        try:
            stat = path.stat()
            return _read(self.folder, path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names of all stored models, by cutoff."""
        return sorted(path.stem for path in self.folder.glob("*.zip"))

    def save(self, name: str, models: TrainedModels) -> None:
        """Save the models under that name. Readers see the whole file or none of it."""
        SealedFolder(self.folder).write(self._path(name), models.to_bytes())

    def saved_at(self) -> dict[str, datetime]:
        """Return when each of the models was saved (UTC), by name."""
        return {
            path.stem: datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
            for path in self.folder.glob("*.zip")
        }

    def remove(self, name: str) -> None:
        """Delete the models of that name, if they are stored."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-z-]+", name):
            raise ValueError(f"{name!r} is not a name of trained models: use a-z, 0-9 and - only")
        return self.folder / f"{name}.zip"


@lru_cache(maxsize=2)
def _read(folder: Path, path: Path, version: tuple[int, ...]) -> TrainedModels:
    """Read a file. `version` changes when the file is replaced."""
    content = SealedFolder(folder).read(path).content
    try:
        return TrainedModels.from_bytes(content)
    except ValueError as error:
        raise DamagedFileError(f"{path} cannot be used: {error}") from None
