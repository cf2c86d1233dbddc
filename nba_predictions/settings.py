"""The settings of the pipeline, all from environment variables.

| variable | default | meaning |
|---|---|---|
| NBA_PREDICTIONS_PROFILE | embedded | which backends are used |
| NBA_PREDICTIONS_SOURCE | simulated | `simulated` league, or `files` |
| NBA_PREDICTIONS_DATA | | the folder with input files, for `files` |
| NBA_PREDICTIONS_HOME | .nba_predictions/SOURCE | where the embedded profile keeps everything |
| NBA_PREDICTIONS_COMPLETION_THRESHOLD | 0.9 | share of players below which a night is blocked |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nba_predictions.domain.batch import DEFAULT_COMPLETION_THRESHOLD
from nba_predictions.domain.errors import SettingsError

PROFILES = ("embedded",)
SOURCES = ("simulated", "files")


@dataclass(frozen=True)
class Settings:
    """Checked settings. `home` is absolute; every source has a home of its own by default, so that
    simulated and real predictions never share a table."""

    profile: str
    source: str
    data: Path | None
    home: Path
    completion_threshold: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check the settings.

        Raises:
            SettingsError: naming the variable, its value and what it may be.
        """
        profile = _choice(environment, "NBA_PREDICTIONS_PROFILE", PROFILES)
        source = _choice(environment, "NBA_PREDICTIONS_SOURCE", SOURCES)
        data = environment.get("NBA_PREDICTIONS_DATA") or None
        if source == "files" and data is None:
            raise SettingsError(
                "NBA_PREDICTIONS_DATA is not set; the source `files` needs the folder with the "
                "input files, e.g. NBA_PREDICTIONS_DATA=./data (docs/input-files.md)"
            )
        if source == "files" and data and not Path(data).is_dir():
            raise SettingsError(
                f"NBA_PREDICTIONS_DATA={data} is no folder; name the one with the input files"
            )
        home = Path(environment.get("NBA_PREDICTIONS_HOME") or f".nba_predictions/{source}")
        return cls(
            profile=profile,
            source=source,
            data=Path(data).resolve() if data else None,
            home=home.resolve(),
            completion_threshold=_threshold(environment),
        )


def _choice(environment: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    value = environment.get(variable) or choices[0]
    if value not in choices:
        raise SettingsError(f"{variable}={value} is unknown; choose {' or '.join(choices)}")
    return value


def _threshold(environment: Mapping[str, str]) -> float:
    variable = "NBA_PREDICTIONS_COMPLETION_THRESHOLD"
    text = environment.get(variable) or str(DEFAULT_COMPLETION_THRESHOLD)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1.0:
        raise SettingsError(f"{variable}={text} is no share; choose above 0 and at most 1, as 0.9")
    return value
