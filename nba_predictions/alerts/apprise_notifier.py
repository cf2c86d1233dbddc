"""Alerts through apprise: Slack, e-mail, PagerDuty, a webhook; whatever it has a URL for."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apprise import Apprise, NotifyBase, NotifyFormat, NotifyType
from apprise.common import OverflowMode

from nba_predictions.alerts.port import Notifier
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.policies.alerting import Message, Severity

#: A destination that has not answered by then is taken for away.
_PATIENCE_SECONDS = 10.0
#: A part of an address as long as this may be a secret.
_SECRET_FROM = 6
_TYPES = {Severity.ERROR: NotifyType.FAILURE, Severity.WARNING: NotifyType.WARNING}

# Apprise's own lines may quote an address with its secrets. What they say is in its results too.
_LOGGER = logging.getLogger("apprise")
_LOGGER.propagate = False
_LOGGER.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class AppriseNotifier(Notifier):
    """Sends to `urls`, addresses as apprise knows them.

    Raises:
        SettingsError: apprise knows no such address; it is named by its number, masked.
    """

    urls: Sequence[str] = field(repr=False)
    _services: dict[str, tuple[str, str, Apprise]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for number, url in enumerate(self.urls, start=1):
            service = _service(url)
            if service is None:
                raise SettingsError(
                    f"NBA_PREDICTIONS_ALERT_URLS: the address number {number}, {_masked(url)}, is "
                    f"none that apprise knows; they are separated by blanks, and look like "
                    f"slack://tokenA/tokenB/tokenC or mailtos://user:password@example.com"
                )
            if "overflow=" not in url:
                # A service that refuses what is too long for it would never take the message.
                service.overflow_mode = OverflowMode.TRUNCATE
            one = Apprise()
            one.add(service)
            name = f"{service.service_name} {number} ({_masked(service.url(privacy=True))})"
            self._services.setdefault(_id(url), (name, url, one))

    @property
    def destinations(self) -> Mapping[str, str]:
        return {key: name for key, (name, _, _) in self._services.items()}

    def send(self, destination: str, message: Message) -> str | None:
        _, url, service = self._services[destination]
        try:
            result = service.notify(
                title=message.title,
                body=message.body,
                notify_type=_TYPES[message.severity] if message.severity else NotifyType.SUCCESS,
                body_format=NotifyFormat.TEXT,
                timeout=_PATIENCE_SECONDS,
            )
            if result:
                return None
            said = [entry.message for entry in result.logs()]
            reason = "; ".join(dict.fromkeys(said)) or f"apprise says {result.status.name}"
        except Exception as error:
            # A service that breaks must not keep the others from being told.
            reason = f"{type(error).__name__}: {error}"
        return _without_secrets(reason, url)


def _service(url: str) -> NotifyBase | None:
    """Return what apprise makes of an address, without a line of its own about it."""
    before, _LOGGER.disabled = _LOGGER.disabled, True
    try:
        return Apprise.instantiate(url, suppress_exceptions=True)
    finally:
        _LOGGER.disabled = before


def _id(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def _masked(url: str) -> str:
    """Return the scheme of an address, and its host where that is one and no token."""
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z0-9]{1,20}", scheme):
        return "****"
    place = re.split(r"[/?#]", rest)[0]
    host = place.rpartition("@")[2]
    named = re.fullmatch(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)(:\d+)?", host)
    return f"{scheme}://{host}/****" if named else f"{scheme}://****"


def _without_secrets(text: str, url: str) -> str:
    """Return a text without anything of an address that is not its host."""
    shown = set(re.findall(r"\w+", _masked(url)))
    parts = {p for p in re.split(r"[^\w.~-]+|%[0-9A-Fa-f]{2}", url) if len(p) >= _SECRET_FROM}
    for part in sorted(parts, key=len, reverse=True):
        if part.partition(".")[0] not in shown:
            text = text.replace(part, "****")
    return text
