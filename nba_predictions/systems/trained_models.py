"""What training leaves behind: everything the systems have learned, in one self-contained file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import xgboost as xgb

from nba_predictions.features.build import FEATURES
from nba_predictions.systems.base import Calibration, LeaguePrior
from nba_predictions.systems.gradient_boosting import load
from nba_predictions.systems.market import MarketUpdate

FORMAT: Final = 2
_CARD, _LEARNED, _BOOSTER = "card.json", "learned.json", "booster.ubj"


@dataclass(frozen=True)
class TrainedModels:
    """All that was learned from the games before a date.

    Attributes:
        version: the cutoff, ISO (`2025-01-06`): nothing on or after that date was seen.
        prior: what is expected of a player nobody knows.
        calibrations: per system_id; systems not in it use the defaults.
        weights: of the ensemble's members, summing to 1.
        booster_raw: the trees of `xgboost`, None when there were too few games.
        market_updates: per system_id, what is left of its word once a line is known; systems not in
            it use the defaults.
        card: what a reader should know: cutoff, rows, features, metrics out of time, code version,
            whether xgboost was trained. Plain JSON values.
    """

    version: str
    prior: LeaguePrior
    calibrations: Mapping[str, Calibration]
    weights: Mapping[str, float]
    booster_raw: bytes | None
    card: Mapping[str, Any] = field(default_factory=dict)
    market_updates: Mapping[str, MarketUpdate] = field(default_factory=dict)

    @cached_property
    def booster(self) -> xgb.Booster | None:
        """The trees, ready to predict; None when there were too few games."""
        return None if self.booster_raw is None else load(self.booster_raw)

    def to_bytes(self) -> bytes:
        """A zip of JSON and the booster; equal models give equal bytes."""
        learned = {
            "format": FORMAT,
            "version": self.version,
            "features": list(FEATURES),
            "prior": asdict(self.prior),
            "calibrations": {k: asdict(v) for k, v in self.calibrations.items()},
            "weights": dict(self.weights),
            "market_updates": {k: asdict(v) for k, v in self.market_updates.items()},
        }
        parts: dict[str, bytes] = {
            _CARD: json.dumps(dict(self.card), indent=1).encode(),
            _LEARNED: json.dumps(learned, indent=1).encode(),
        }
        if self.booster_raw is not None:
            parts[_BOOSTER] = self.booster_raw
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                # The date is left at the zip epoch: bytes must not tell when they were written.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> TrainedModels:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the bytes are no such file, or were written for other features.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            learned, card = json.loads(parts[_LEARNED]), json.loads(parts[_CARD])
        except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{len(raw)} bytes are no trained models ({error!r}); train again"
            ) from error
        if learned.get("format") != FORMAT or learned.get("features") != list(FEATURES):
            raise ValueError(
                f"models {learned.get('version')!r} were trained for other features "
                f"(format {learned.get('format')!r}, this code has {FORMAT}); train again"
            )
        return cls(
            version=learned["version"],
            prior=LeaguePrior(**learned["prior"]),
            calibrations={k: Calibration(**v) for k, v in learned["calibrations"].items()},
            weights=learned["weights"],
            booster_raw=parts.get(_BOOSTER),
            card=card,
            market_updates={k: MarketUpdate(**v) for k, v in learned["market_updates"].items()},
        )
