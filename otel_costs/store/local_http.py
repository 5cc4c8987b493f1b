"""What `otel-costs local` answers beside SQL: bounded, and with a password that goes nowhere else."""

from base64 import b64encode
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, build_opener

from otel_costs.runtime.no_redirects import NoRedirects
from otel_costs.store.address import Address

MOST_BYTES: Final = 1 << 22
"""Of an answer; what is beyond is not read."""


def answer(address: Address, path: str, *, data: bytes | None = None, timeout_s: float) -> tuple[int, bytes]:
    """Return the HTTP status and the body at `path` of a store that is a server; with `data`, of a POST.

    A redirect is answered as it is. Raises OSError when there is no answer.
    """
    parts = urlsplit(address.dsn)
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
    request = Request(url, data=data)  # noqa: S310  # http or https, as `address.read` holds it to
    if parts.password:
        name = f"{unquote(parts.username or 'default')}:{unquote(parts.password)}"
        request.add_header("Authorization", f"Basic {b64encode(name.encode()).decode()}")
    try:
        with build_opener(NoRedirects).open(request, timeout=timeout_s) as response:
            return response.status, bytes(response.read(MOST_BYTES))
    except HTTPError as error:
        with error:
            return error.code, bytes(error.read(MOST_BYTES))
    except HTTPException as error:
        raise OSError(type(error).__name__) from None
