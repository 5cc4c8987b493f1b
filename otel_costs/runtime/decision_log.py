"""What was decided on each call, a line a decision, at DEBUG of the logger `otel_costs`: `OTEL_COSTS_LOG=debug`.

A line has the call's id, the one of its record, and nothing that was said: no content, no key, no address with a query.
A call asks once, when it begins, whether the level is on, and leaves this module alone where it is not.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_costs import semconv as names
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from otel_costs.calls.call import Call
    from otel_costs.pricing.cost import Cost
    from otel_costs.usage import Usage

_WORD: Final = re.compile(r"[a-z][a-z_.-]{0,31}|v\d+")
"""Parts of a path that are shown. Anything else may be an id, a name or a key."""


def begun(call: "Call", route: str) -> None:
    """Log that a call has begun, and the route of a provider's API that its request was found to be, if it is one."""
    call_id = call.call_id
    model, address = call.request_model or "(none)", call.attributes.get(names.SERVER_ADDRESS, "(none)")
    _write(call_id, "begun: %s of %s, model %s, server %s", call.operation, call.provider, model, address)
    if route:
        _write(call_id, "route found: %s", route)


def not_billed_route(method: str, url: str) -> None:
    """Log that a request is no route that is billed: it leaves no call."""
    if telemetry.log.isEnabledFor(logging.DEBUG):
        telemetry.log.debug("no call: %s %s is not billed", method.upper(), _shape(url))


def not_billed_answer(found: str) -> None:
    """Log that an answer has nothing to bill: an unknown endpoint's without a usage, a job's that has not ended."""
    if telemetry.log.isEnabledFor(logging.DEBUG):
        telemetry.log.debug("no call: route %s, the answer has nothing to bill", found)


def became_job(call_id: str | None, before: str | None, *, ended: bool) -> None:
    """Log that a call is the bill of a job, by whose id it goes from now on; `before` is the id that it had."""
    state = "has ended" if ended else "has not ended: its cost is known later"
    _write(before, "goes on as call %s, the bill of a job that %s", call_id, state)


def billed(call_id: str | None, is_billed: bool) -> None:
    """Log whether a call is billed, or only polls what is billed elsewhere."""
    _write(call_id, "billed" if is_billed else "not billed: it is a look, or was billed before; no record")


def usage(call_id: str | None, found: "Usage | None", reasons: Iterable[str]) -> None:
    """Log which usage was found, or why none was."""
    if found is None:
        _write(call_id, "usage not found: %s", _joined(reasons) or "no reason")
        return
    quantities = " ".join(f"{sanitize.label(unit)}={quantity}" for unit, quantity in found.quantities.items())
    _write(call_id, "usage found: %s%s", quantities or "(empty)", " (estimated)" if found.estimated else "")


def price(call_id: str | None, found: Mapping[str, Any], cost: "Cost | None") -> None:
    """Log which price was chosen, what came of it, and why it is not simply priced."""
    price_id = (cost and cost.price_id) or "(none)"
    usd, status = found.get(names.COST_USD, "(none)"), found.get(names.COST_STATUS, "unpriced")
    reasons = f": {found[names.COST_REASON]}" if names.COST_REASON in found else ""
    _write(call_id, "price chosen: %s, cost %s USD, %s%s", price_id, usd, status, reasons)


def written(call_id: str | None, seq: int, process_id: str) -> None:
    """Log that the record of a call was handed to the SDK, as which one of this process."""
    _write(call_id, "written: record %d of process %s", seq, process_id)


def sent(call_ids: Iterable[object], to: str) -> None:
    """Log that records were acknowledged; `to` names the exporter."""
    if telemetry.log.isEnabledFor(logging.DEBUG):
        for call_id in call_ids:
            _write(str(call_id), "sent: acknowledged by %s", to)


def _write(call_id: str | None, message: str, *args: object) -> None:
    telemetry.log.debug(f"call {call_id}: {message}", *args)


def _joined(reasons: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(reasons))


def _shape(url: str) -> str:
    """Return the path of a URL with a star for each part that is no plain word."""
    path = url.partition("?")[0]
    if "://" in path:
        path = path.split("://", 1)[1].partition("/")[2]
    return "/" + "/".join(part if _WORD.fullmatch(part) else "*" for part in path.strip("/").split("/"))
