"""A price book fetched: from a file or over https, bounded in size and time, from no host but the one that is named."""

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from otel_costs.pricing.updates import PriceUpdateError
from otel_costs.values.loopback import is_loopback

MAX_BYTES: Final = 16_000_000  # what genai-prices publishes has 0.5 MB
_TIMEOUT_S: Final = 10.0  # of each wait for the other side
_DEADLINE_S: Final = 60.0  # of all of it: one byte every nine seconds is no book
_CHUNK: Final = 65_536
_MAX_REDIRECTS: Final = 5


def printable_url(source: str) -> str:
    """Return a source as it may be shown and stored: without what may be a key, in its address or query."""
    if "://" not in source:
        return source
    try:
        parts = urlsplit(source)
    except ValueError:
        return "that URL"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch(source: str) -> bytes:
    """Return what is at `source`, a path or an https URL. Raises PriceUpdateError, which never has credentials in it.

    http is for this machine alone (127.0.0.1, ::1, localhost), where nothing stands between.
    """
    return _of_url(source) if "://" in source else _of_file(source)


def _of_file(source: str) -> bytes:
    try:
        with Path(source).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PriceUpdateError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    _refuse_large(len(raw), source)
    return raw


def _of_url(source: str) -> bytes:
    name = printable_url(source)
    try:
        parts = urlsplit(source)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise PriceUpdateError("that is no URL; give https://host/path, or a file") from None
    on_this_machine = is_loopback(host)
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and on_this_machine)):
        raise PriceUpdateError(f"{name} is not fetched: give an https URL, or a file")
    request = urllib.request.Request(_bare(parts), headers={"User-Agent": "otel-costs", **_authorization(parts)})  # noqa: S310
    opener = urllib.request.build_opener(
        _SameHost(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        *([urllib.request.ProxyHandler({})] if on_this_machine else []),
    )
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return _read(answer, name)
    except urllib.error.HTTPError as error:
        error.close()
        raise PriceUpdateError(f"{name} answered with status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Of other errors the text may quote the URL, a header, or what a proxy is asked.
        reason = getattr(error, "reason", error)
        problem = getattr(reason, "strerror", None) or type(reason).__name__
        raise PriceUpdateError(f"{name} cannot be reached: {problem}") from None


def _read(answer: Any, name: str) -> bytes:
    if answer.status != 200:
        raise PriceUpdateError(f"{name} answered with status {answer.status}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise PriceUpdateError(f"{name} is compressed, and nobody asked for that")
    length = answer.headers.get("Content-Length")
    if length is None and not answer.chunked:
        raise PriceUpdateError(f"{name} does not say how long it is: it may have been cut")
    _refuse_large(int(length or 0), name)
    end = time.monotonic() + _DEADLINE_S
    raw = bytearray()
    while chunk := answer.read1(_CHUNK):
        raw += chunk
        _refuse_large(len(raw), name)
        if time.monotonic() > end:
            raise PriceUpdateError(f"{name} took longer than {_DEADLINE_S:.0f} seconds")
    if length is not None and len(raw) != int(length):
        raise PriceUpdateError(f"{name} was cut: {len(raw):,} of {int(length):,} bytes came")
    return bytes(raw)


def _refuse_large(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise PriceUpdateError(f"{name} is larger than {MAX_BYTES:,} bytes")


def _bare(parts: SplitResult) -> str:
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))


def _authorization(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects to where it was sent in the first place, and nowhere else: others have no say in prices."""

    max_redirections = _MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            fp.close()
            raise PriceUpdateError(
                f"{printable_url(req.full_url)} sends us to {after.hostname or 'another place'}, "
                "which is another host: if that is meant, give its address"
            )
        found = super().redirect_request(req, fp, code, msg, headers, newurl)
        if found is not None and (authorization := req.get_header("Authorization")):
            found.add_header("Authorization", authorization)
        return found
