"""Store trained models: one file each, named by cutoff and fingerprint of the training."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from nba_predictions.systems.trained_models import TrainedModels


@dataclass(frozen=True)
class ModelStore:
    """The models in `folder`. All of them can be trained again."""

    folder: Path

    def load(self, name: str) -> TrainedModels | None:
        """Return the models of that name, None if none are stored. A process reads a file once."""
        path = self._path(name)
        return _read(path) if path.is_file() else None

    def names(self) -> list[str]:
        """Return the names of all stored models, by cutoff."""
        return sorted(path.stem for path in self.folder.glob("*.zip"))

    def save(self, name: str, models: TrainedModels) -> None:
        """Save the models under that name. Readers see the whole file or none of it."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        temporary.write_bytes(models.to_bytes())
        temporary.replace(path)

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
def _read(path: Path) -> TrainedModels:
    return TrainedModels.from_bytes(path.read_bytes())
