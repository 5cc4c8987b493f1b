"""Messages on their way to receivers, by Apprise, whose addresses are secrets and in no log."""

import logging
import re
import warnings
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, Final, Protocol

from otel_costs.alerts.rules import RulesError

LONGEST_S: Final = 15.0
"""Seconds that a receiver may take for a message: from then on it has not taken it."""

_TITLE: Final = "otel-costs"
_MENTION: Final = re.compile(r"<(?=[@!#&])|@(?=everyone\b|here\b|channel\b|all\b)", re.IGNORECASE)
_APART: Final = "\u200b"
"""A blank of no width: behind a sign that calls people, it is a sign."""


class Delivery(Protocol):
    """What takes a message to a receiver; says whether it was taken."""

    @property
    def names(self) -> tuple[str, ...]:
        """The receivers' names."""

    def send(self, receiver: str, message: str, *, ended: bool) -> bool:
        """Deliver a message, of a beginning or an end. Never raises."""


class Receivers:
    """The receivers of a file of rules. Raises RulesError, without the address, for an address that is none."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        import apprise  # noqa: PLC0415  # an extra of ours

        # They log what goes wrong with addresses in it.
        logging.getLogger("apprise").disabled = True
        logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
        asset = apprise.AppriseAsset()
        asset.http_redirects = False  # a message does not go along, and another host would be told for the receiver
        self._ways: dict[str, Any] = {}
        self._under_way: dict[str, _Attempt] = {}
        for name, address in addresses.items():
            way = apprise.Apprise(asset=asset)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it loads all services that it knows, some by modules that are old
                added = way.add(address)
            if not added:
                raise RulesError(
                    f"the address of receiver {name!r} is none that Apprise knows: write one as its wiki has it"
                )
            self._ways[name] = way

    @property
    def names(self) -> tuple[str, ...]:
        """The receivers' names."""
        return tuple(self._ways)

    def send(self, receiver: str, message: str, *, ended: bool) -> bool:
        """Deliver a message; False where the receiver did not take it in LONGEST_S.

        One that is still busy with a message is not given another; when it has taken that after all, it is not sent
        again.
        """
        content = message, ended
        attempt = self._under_way.pop(receiver, None)
        if attempt is None or not (attempt.is_alive() or (attempt.was_taken and attempt.content == content)):
            attempt = _Attempt(content, lambda: self._sent(receiver, *content))
        attempt.join(LONGEST_S if attempt.content == content else 0)
        if attempt.is_alive():
            self._under_way[receiver] = attempt
        return attempt.content == content and attempt.was_taken

    def _sent(self, receiver: str, message: str, ended: bool) -> bool:
        import apprise  # noqa: PLC0415

        kind = apprise.NotifyType.SUCCESS if ended else apprise.NotifyType.WARNING
        return bool(
            self._ways[receiver].notify(
                body=calling_nobody(message), title=_TITLE, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
            )
        )


class _Attempt(Thread):
    """A message on its way to a receiver, which may let us wait for ever, byte by byte."""

    def __init__(self, content: tuple[str, bool], send: Callable[[], bool]) -> None:
        super().__init__(name="otel_costs alert", daemon=True)
        self.content, self.was_taken, self._send = content, False, send
        self.start()

    def run(self) -> None:
        """Send it. Whatever a service's module raises, the message is not delivered."""
        try:
            self.was_taken = self._send()
        except Exception:  # noqa: BLE001
            self.was_taken = False


def calling_nobody(message: str) -> str:
    """Return a message in which no name calls everybody of a channel: `<!channel>` of Slack, `@everyone` of Discord."""
    return _MENTION.sub(rf"\g<0>{_APART}", message)
