"""Messages on their way to receivers, by Apprise, whose addresses are secrets and in no log."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any, Final, Protocol

from otel_costs.alerts.rules import RulesError

_TITLE: Final = "otel-costs"


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

        # It logs what goes wrong with addresses in it.
        logging.getLogger("apprise").disabled = True
        self._ways: dict[str, Any] = {}
        for name, address in addresses.items():
            way = apprise.Apprise()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it loads all services that it knows, some by modules that are old
                added = way.add(address)
            if not added:
                raise RulesError(f"the address of receiver {name!r} is none that Apprise knows")
            self._ways[name] = way

    @property
    def names(self) -> tuple[str, ...]:
        """The receivers' names."""
        return tuple(self._ways)

    def send(self, receiver: str, message: str, *, ended: bool) -> bool:
        """Deliver a message; False where the receiver did not take it."""
        import apprise  # noqa: PLC0415

        kind = apprise.NotifyType.SUCCESS if ended else apprise.NotifyType.WARNING
        try:
            return bool(
                self._ways[receiver].notify(
                    body=message, title=_TITLE, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
                )
            )
        except Exception:  # noqa: BLE001  # whatever a service's module raises, the message is not delivered
            return False
