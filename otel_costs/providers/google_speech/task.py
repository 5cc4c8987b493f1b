"""A thing that is asked of Google's speech services: what it is read by, from its request to its last answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from otel_costs import hosts
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading


class Task(ABC):
    """Reads what is asked and what is answered; `reading` is called in the background, once all is known."""

    operation: ClassVar[str]

    def __init__(self) -> None:
        self.request: Any = None
        """The request, its flattened arguments, or the first message of a stream."""
        self.complete = True
        """Whether it was answered to the end; a stream may be left before."""

    def start(self, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Start the call; the request of a stream is not known yet."""
        request = args[0] if args else kwargs.get("request")
        self.request = kwargs if request is None else request
        host = hosts.at(*hosts.address_of(str(client.transport.host)))
        model = self.model() if self.request else None
        return Call(self.operation, host.provider, model, attributes=host.attributes, endpoint=host.address)

    def read_answer(self, answer: Any) -> Reading:
        """Return what a whole answer says of its call."""
        self.answered(answer)
        return self.reading()

    @abstractmethod
    def model(self) -> str | None:
        """Return the model, or the kind of voice, that is asked for."""

    @abstractmethod
    def asked(self, request: Any) -> None:
        """Read a message that the application sends in a stream."""

    @abstractmethod
    def answered(self, answer: Any) -> None:
        """Read an answer, or a part of one."""

    @abstractmethod
    def reading(self) -> Reading:
        """Return what was used, and what was said, as far as it is known."""
