"""The pages of a provider's report over HTTP: bounded in tries and time, with a key that goes nowhere else."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http.client import HTTPException, IncompleteRead
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from otel_costs.cli.reconciliation.files import loaded
from otel_costs.cli.reconciliation.reported import ProviderError
from otel_costs.runtime.no_redirects import NoRedirects
from otel_costs.values.loopback import is_loopback

TRIES: Final = 5
TIMEOUT_S: Final = 60.0
"""Seconds without a byte until a try is given up."""

PAUSE_S: Final = 1.0
"""Seconds before the second try; they double with each."""

LONGEST_PAUSE_S: Final = 60.0
"""Seconds that are waited at most, whatever the provider asks for."""

PAGES: Final = 1000
"""Pages of one report; a provider that says that there are more goes round in a circle."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one answer."""

_AGAIN: Final = (408, 429, 500, 502, 503, 504)
# Azure says by which of its limits a request was refused, each in a header of its own.
_RETRY_AFTER: Final = re.compile(r"(?i)(retry-after|x-ms-ratelimit-.*retry-after)")
_MAX_MESSAGE: Final = 300  # characters of the provider's own words

Parameters = Mapping[str, object]


class StatusError(ProviderError):
    """The provider answered with an HTTP status of 300 and more; `said` is its own message, without the key."""

    def __init__(self, status: int, message: str, retry_after: str = "") -> None:
        super().__init__(f"answered HTTP {status}{f': {message}' if message else ''}")
        self.status, self.retry_after = status, retry_after


class _LostError(ProviderError):
    """The connection broke, and may not another time."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a report is, and the key for it. Raises ProviderError for an address or a key that cannot be.

    The key is sent in `header`, after `before`; `headers` are what else is sent.
    """

    base_url: str
    key: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    header: str = "Authorization"
    before: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.key.isascii() or not self.key.isprintable() or " " in self.key:
            raise ProviderError("the key has characters that no key has: copy it again")  # http.client would quote it
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ProviderError("the base URL is no address: give https://host/v1")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ProviderError(f"a key goes to {url.hostname} over https alone: give https://{url.hostname}/...")

    @property
    def host(self) -> str:
        """The host that is asked, without a password that may be in the address."""
        return _host(urlsplit(self.base_url))

    def pages(self, path: str, parameters: Parameters) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of a report, following `next_page`. Raises ProviderError."""
        asked = dict(parameters)
        seen: set[object] = {None}
        known: set[bytes] = set()
        for _ in range(PAGES):
            page = self._page(path, asked)
            self._refuse_twice(path, page["data"], known)
            yield page
            following = page.get("next_page")
            if not page.get("has_more", following is not None):
                return
            if following is None:
                raise ProviderError(f"{self.host}: {path} has more pages, and does not say which: try again later")
            if following in seen or not isinstance(following, str):
                break
            seen.add(following)
            asked["page"] = following
        raise ProviderError(f"{self.host}: the pages of {path} have no end")

    def linked_pages(self, path: str, parameters: Parameters) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of a report that gives the address of the next one. Raises ProviderError.

        The key goes to no other host than it was given for.
        """
        url = self._url(path, parameters)
        seen = {url}
        known: set[bytes] = set()
        for _ in range(PAGES):
            page = self._report(url, path, "value")
            self._refuse_twice(path, page["value"], known)
            yield page
            url = page.get("nextLink") or ""
            if not url:
                return
            if not isinstance(url, str) or not self._is_own(url):
                raise ProviderError(f"{self.host} names a page of {path} at another host: it is not asked")
            if url in seen:
                break
            seen.add(url)
        raise ProviderError(f"{self.host}: the pages of {path} have no end")

    def _refuse_twice(self, path: str, listed: Sequence[object], known: set[bytes]) -> None:
        """Raise ProviderError for what another page had already, whatever it was called: it would be billed twice."""
        digest = sha256(json.dumps(listed, default=str).encode()).digest()
        if listed and digest in known:
            raise ProviderError(f"{self.host} gives the same page of {path} twice: try again later")
        known.add(digest)

    def answer(self, path: str, parameters: Parameters, holds: str) -> Mapping[str, Any]:
        """Return a report of one page, which has a list or an object `holds`. Raises ProviderError."""
        return self._report(self._url(path, parameters), path, holds)

    def _page(self, path: str, parameters: Parameters) -> Mapping[str, Any]:
        return self._report(self._url(path, parameters), path, "data")

    def _url(self, path: str, parameters: Parameters) -> str:
        return f"{self.base_url.rstrip('/')}/{path}?{urlencode(parameters, doseq=True)}"

    def _is_own(self, url: str) -> bool:
        try:
            mine, other = urlsplit(self.base_url), urlsplit(url)
        except ValueError:  # no address is written so
            return False
        return (mine.scheme, mine.netloc.lower()) == (other.scheme, other.netloc.lower())

    def _report(self, url: str, path: str, holds: str) -> Mapping[str, Any]:
        body = self._answer(url)
        try:
            page = loaded(body)
        except (ValueError, ArithmeticError, RecursionError):
            page = None
        if not isinstance(page, dict) or not isinstance(page.get(holds), dict if holds == "usage" else list):
            raise ProviderError(f"{self.host} answered {path} with something that is no report: is the base URL right?")
        return page

    def _answer(self, url: str) -> bytes:
        """Ask until there is an answer, or for the last time."""
        pause = PAUSE_S
        for _ in range(TRIES - 1):
            try:
                return self._once(url)
            except _LostError:
                wait = pause
            except StatusError as error:
                if error.status not in _AGAIN:
                    raise
                wait = _seconds(error.retry_after, pause)
            self.sleep(min(wait, LONGEST_PAUSE_S))
            pause *= 2
        return self._once(url)

    def _once(self, url: str) -> bytes:
        own = {self.header: f"{self.before}{self.key}", "Accept": "application/json", "User-Agent": "otel-costs"}
        headers = {**self.headers, **own}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # checked above
        try:
            with urllib.request.build_opener(NoRedirects).open(request, timeout=TIMEOUT_S) as answer:
                body = bytes(answer.read(MOST_BYTES + 1))
                if len(body) > MOST_BYTES:
                    raise ProviderError(f"{self.host} answered with more than can be read: ask for fewer days")
                if (length := answer.length) is not None and length > 0:
                    raise IncompleteRead(body, length)
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise StatusError(error.code, self._message(error), _retry_after(error.headers)) from None
        except urllib.error.URLError as error:
            kind = _LostError if isinstance(error.reason, TimeoutError | ConnectionResetError) else ProviderError
            raise kind(f"no answer from {self.host}: {error.reason}") from None
        except (OSError, HTTPException) as error:
            raise _LostError(f"no answer from {self.host}: {type(error).__name__}") from None

    def _message(self, error: urllib.error.HTTPError) -> str:
        """Return the message of an error in a shape that providers have, without the key; empty if there is none."""
        try:
            found = json.loads(error.read(MOST_BYTES))
        except (OSError, HTTPException, ValueError, RecursionError):
            return ""
        for message in _messages(found):
            return message.replace(self.key, "***")[:_MAX_MESSAGE]
        return ""


def _messages(found: Any) -> Iterator[str]:
    """Yield the texts of an error: of OpenAI, Anthropic and Azure, of ElevenLabs, of Deepgram."""
    if isinstance(found, dict):
        for name in ("message", "err_msg", "error", "detail"):
            value = found.get(name)
            if isinstance(value, str):
                yield value
            else:
                yield from _messages(value)


def _retry_after(headers: Message) -> str:
    waits = [value for name, value in headers.items() if _RETRY_AFTER.fullmatch(name)]
    return max(waits, key=lambda value: _seconds(value, 0), default="")


def _seconds(retry_after: str, otherwise: float) -> float:
    """Return the seconds to wait: those that are said, or until a time that is."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
        return max(0.0, (at - datetime.now(at.tzinfo)).total_seconds())
    except (ValueError, TypeError):
        return otherwise


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]
