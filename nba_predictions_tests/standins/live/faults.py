"""Faults of the services, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROVIDERS = ("stats", "cdn", "espn", "odds", "injury")


@dataclass
class Fault:
    """A fault of one provider.

    Attributes:
        times: how often it strikes, None for always.
        probability: the chance that it strikes a request.
        options: details of the fault.
    """

    name: str
    provider: str
    times: int | None = None
    probability: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
