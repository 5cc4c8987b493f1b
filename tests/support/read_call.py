"""A call of the tests' own, with what was read of it."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from otel_costs.calls import writer
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading


@dataclass
class ReadCall:
    """A call that has begun, and what is to be written of it."""

    call: Call
    reading: Reading

    def stop(self) -> None:
        self.call.stop()

    def finish(self, error: str | None = None, **read: Any) -> Decimal | None:
        """Write the call; `read` is what is known of it beside what was before."""
        return writer.finish(self.call, replace(self.reading, **read), error)
