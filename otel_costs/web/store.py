"""The store as the API asks it: in threads, for a request that may go away, and written to with the right to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from starlette.requests import Request

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Result = TypeVar("Result")


class UnavailableError(Exception):
    """The store does not answer, or has no room for the question; the message says what to do next."""


class NoWriterError(Exception):
    """Nothing can be written through this application; the message says why, and what it would need."""


class Store(Protocol):
    """A store: `ask` reads from it, `change` and `insert` write."""

    @property
    def refused_records(self) -> int | None:
        """How many records were refused for what they hold, since the start; None where that is not known."""
        ...

    async def ask(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:
        """Return what `job` returns, which is called in a thread with a client of its own.

        It is broken off where that is possible when the client of `request` is gone; None is no request.

        Raises UnavailableError, and what `job` raises.
        """
        ...

    async def change(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:
        """Do the same with a client of a user who may write. Raises NoWriterError too."""
        ...

    async def insert(self, lines: Sequence[bytes]) -> None:
        """Store rows of otel_logs, each a line of JSON; when it returns, they count.

        Raises UnavailableError, NoWriterError.
        """
        ...
