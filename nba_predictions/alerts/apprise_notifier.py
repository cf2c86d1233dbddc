"""Send alerts with apprise: to Slack, e-mail, PagerDuty, webhooks and other services."""

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

#: A destination that has not answered after this time counts as failed.
_TIMEOUT_SECONDS = 10.0
#: A part of an address with at least this length may be a secret.
_MIN_SECRET_LENGTH = 6
_TYPES = {Severity.ERROR: NotifyType.FAILURE, Severity.WARNING: NotifyType.WARNING}

# The log lines of apprise may contain an address with its secrets. Its results have the same texts.
_LOGGER = logging.getLogger("apprise")
_LOGGER.propagate = False
_LOGGER.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class AppriseNotifier(Notifier):
    """Sends to `urls`, which are addresses in the form of apprise.

    Raises:
        SettingsError: apprise does not support an address. The message masks its secrets.
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
                    f"NBA_PREDICTIONS_ALERT_URLS: apprise does not support address number "
                    f"{number}, {_masked(url)}; separate addresses by spaces, for example "
                    f"slack://tokenA/tokenB/tokenC or mailtos://user:password@example.com"
                )
            if "overflow=" not in url:
                # Otherwise a service refuses a message that is too long, at every attempt.
                service.overflow_mode = OverflowMode.TRUNCATE
            sender = Apprise()
            sender.add(service)
            name = f"{service.service_name} {number} ({_masked(service.url(privacy=True))})"
            key = hashlib.sha256(url.encode()).hexdigest()[:12]
            self._services.setdefault(key, (name, url, sender))

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
                timeout=_TIMEOUT_SECONDS,
            )
            if result:
                return None
            messages = [entry.message for entry in result.logs()]
            reason = "; ".join(dict.fromkeys(messages)) or f"apprise: {result.status.name}"
        except Exception as error:
            # A plugin that raises must not prevent the delivery to other destinations.
            reason = f"{type(error).__name__}: {error}"
        return _without_secrets(reason, url)


def _service(url: str) -> NotifyBase | None:
    """Return the service of an address, None if there is none. Apprise logs nothing about it."""
    before, _LOGGER.disabled = _LOGGER.disabled, True
    try:
        return Apprise.instantiate(url, suppress_exceptions=True)
    finally:
        _LOGGER.disabled = before


def _masked(url: str) -> str:
    """Return the scheme of an address, and its host unless that part is a token."""
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z0-9]{1,20}", scheme):
        return "****"
    authority = re.split(r"[/?#]", rest)[0]
    host = authority.rpartition("@")[2]
    is_host = re.fullmatch(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)(:\d+)?", host)
    return f"{scheme}://{host}/****" if is_host else f"{scheme}://****"


def _without_secrets(text: str, url: str) -> str:
    """Return a text in which all parts of an address but its host are masked."""
    shown = set(re.findall(r"\w+", _masked(url)))
    parts = {p for p in re.split(r"[^\w.~-]+|%[0-9A-Fa-f]{2}", url) if len(p) >= _MIN_SECRET_LENGTH}
    for part in sorted(parts, key=len, reverse=True):
        if part.partition(".")[0] not in shown:
            text = text.replace(part, "****")
    return text
