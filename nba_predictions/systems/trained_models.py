"""The trained models: everything that the systems have learned, in one self-contained file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import xgboost as xgb

from nba_predictions.domain.market import POINTS, Market
from nba_predictions.features.build import FEATURES
from nba_predictions.systems.base import Calibration, LeaguePrior
from nba_predictions.systems.line_update import LineUpdate

FORMAT: Final = 3
#: The format before markets: one league prior, that of points. It can still be read.
_FORMAT_OF_POINTS: Final = 2
_CARD, _LEARNED, _BOOSTER = "card.json", "learned.json", "booster.ubj"


@dataclass(frozen=True)
class TrainedModels:
    """All that was learned from the games before a date.

    Attributes:
        version: the cutoff, ISO (`2025-01-06`): no game on or after that date was used.
        priors: per statistic, what is expected of a player without a record.
        calibrations: per system_id. Systems not in it, or not in `line_updates`, use the defaults.
        weights: of the ensemble's members, summing to 1.
        booster_raw: the trees of `xgboost`, None when there were too few games.
        card: a description for readers, plain JSON: rows, features, metrics on held-out games.
    """

    version: str
    priors: Mapping[str, LeaguePrior]
    calibrations: Mapping[str, Calibration]
    weights: Mapping[str, float]
    booster_raw: bytes | None
    card: Mapping[str, Any] = field(default_factory=dict)
    line_updates: Mapping[str, LineUpdate] = field(default_factory=dict)

    def prior(self, market: Market) -> LeaguePrior:
        """Return what is expected of a player without a record in a market."""
        return self.priors.get(market.statistic, LeaguePrior())

    @cached_property
    def booster(self) -> xgb.Booster | None:
        """The trees, ready to predict; None when there were too few games."""
        if self.booster_raw is None:
            return None
        booster = xgb.Booster(model_file=bytearray(self.booster_raw))
        # One thread: callers predict in parallel.
        booster.set_param({"nthread": 1})
        return booster

    def to_bytes(self) -> bytes:
        """Return a zip of JSON and the booster. Equal models give equal bytes."""
        learned = {
            "format": FORMAT,
            "version": self.version,
            "features": list(FEATURES),
            "priors": {k: asdict(v) for k, v in self.priors.items()},
            "calibrations": {k: asdict(v) for k, v in self.calibrations.items()},
            "weights": dict(self.weights),
            "market_updates": {k: asdict(v) for k, v in self.line_updates.items()},
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
                # The time stamp stays at the zip epoch, so that equal models give equal bytes.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> TrainedModels:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the bytes are not trained models, or were trained with other features.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            learned, card = json.loads(parts[_LEARNED]), json.loads(parts[_CARD])
        except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{len(raw)} bytes are not trained models ({error!r}); train again"
            ) from error
        if learned.get("format") == _FORMAT_OF_POINTS:
            prior = learned["prior"]
            priors = {POINTS.statistic: {"median": prior["points"], "sd": prior["sd"]}}
            learned = {**learned, "format": FORMAT, "priors": priors}
        if learned.get("format") != FORMAT or learned.get("features") != list(FEATURES):
            raise ValueError(
                f"models {learned.get('version')!r} were trained with other features "
                f"(format {learned.get('format')!r}, this code has {FORMAT}); train again"
            )
        return cls(
            version=learned["version"],
            priors={k: LeaguePrior(**v) for k, v in learned["priors"].items()},
            calibrations={k: Calibration(**v) for k, v in learned["calibrations"].items()},
            weights=learned["weights"],
            booster_raw=parts.get(_BOOSTER),
            card=card,
            line_updates={k: LineUpdate(**v) for k, v in learned["market_updates"].items()},
        )
