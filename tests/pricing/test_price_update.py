"""Updates of prices: what is fetched, what is refused, and that calls of the past keep their price."""

import gc
import json
import logging
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from genai_prices.data import providers

from otel_costs import pricing
from otel_costs.pricing import daily_update, download, genai_prices_data, price, price_book, price_update, updates
from otel_costs.pricing.download import fetch, printable_url
from otel_costs.pricing.price_book import PriceBook, builtin, updated
from otel_costs.pricing.price_update import Change, prepare
from otel_costs.pricing.updates import PriceUpdateError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
MILLION = {"input_tokens": 1_000_000}

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers on loopback as it is told, path by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def at(self, path: str, answer: bytes | Answer) -> str:
        """Have `path` answered, and return its URL."""
        self.answers[path] = _whole(answer) if isinstance(answer, bytes) else answer
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        self.close_connection = True
        self.server.answers[self.path](self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _whole(body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Content-Length": str(len(body))})
        handler.wfile.write(body)

    return answer


def head(handler: BaseHTTPRequestHandler, headers: dict[str, str], status: int = 200) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have a user without any update."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(updates, "_warned", set())
    pricing.use(None)
    yield tmp_path / "home" / "otel-costs" / "prices"
    pricing.use(None)


def published() -> Any:
    """Return what genai-prices publishes, of the release that is built in."""
    return json.loads(json.dumps([genai_prices_data._plain(provider) for provider in providers], default=_json))


def _json(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def model(data: Any, provider: str, name: str) -> Any:
    (found,) = (known for one in data if one["id"] == provider for known in one["models"] if known["id"] == name)
    return found


def raw(data: Any) -> bytes:
    return json.dumps(data).encode()


def later() -> Any:
    """Return it with a price that is another one, and a model that is new."""
    data = published()
    model(data, "openai", "gpt-4o")["prices"]["input_mtok"] = 3
    (openai,) = (one for one in data if one["id"] == "openai")
    openai["models"].append({"id": "gpt-7", "match": {"equals": "gpt-7"}, "prices": {"input_mtok": 1.5}})
    return data


def usd(name: str, at: datetime, provider: str = "openai") -> Decimal | None:
    return price(MILLION, provider=provider, model=name, at=at, prices=updated()).total


def test_what_is_published_is_what_is_built_in(server: Server) -> None:
    """The JSON and the package of a release are the same prices: nothing changes, and so no version."""
    found = prepare(server.at("/data.json", raw(published())), now=NOW)
    assert found.changes == ()
    assert found.version == builtin().base.version


def test_calls_of_the_past_keep_their_price(server: Server) -> None:
    """A price that is another one holds from the update on; one that is new, since ever."""
    found = prepare(server.at("/data.json", raw(later())), now=NOW)
    assert found.changes == (
        Change("changed", "openai", "gpt-4o", "input_tokens 2.5 → 3"),
        Change("new", "openai", "gpt-7", "input_tokens 1.5 per 1,000,000"),
    )
    found.store()
    assert [usd("gpt-4o", at) for at in (BEFORE, NOW, AFTER)] == [Decimal("2.5"), 3, 3]
    assert usd("gpt-4o-2024-08-06", AFTER) == 3
    assert usd("gpt-7", BEFORE) == Decimal("1.5")
    assert usd("gpt-4o", AFTER, "azure") == 3


def test_a_call_names_the_updated_book(server: Server) -> None:
    """Another update is another version; the same once more is not."""
    assert price(MILLION, provider="openai", model="gpt-4o").book == builtin().version
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    first = updated().version
    assert first.startswith(f"{builtin().version.partition('+')[0]}+genai-prices-2026-11-28.")
    prepare(server.at("/data.json", raw(later())), now=AFTER).store()
    assert updated().version == first
    again = later()
    model(again, "openai", "gpt-7")["prices"]["input_mtok"] = 2
    prepare(server.at("/data.json", raw(again)), now=AFTER).store()
    assert updated().version != first


@pytest.mark.long
def test_every_price_that_ever_held_is_kept(server: Server) -> None:
    """Of three prices in a row, each holds for its time."""
    for days, rate in enumerate((3, 4, 5)):
        data = later()
        model(data, "openai", "gpt-4o")["prices"]["input_mtok"] = rate
        prepare(server.at("/data.json", raw(data)), now=NOW + timedelta(days=days)).store()
    hours = (timedelta(hours=at) for at in (-1, 1, 25, 49))
    assert [usd("gpt-4o", NOW + at) for at in hours] == [Decimal("2.5"), 3, 4, 5]


def test_a_price_is_dated_back_only_where_somebody_says_so(server: Server) -> None:
    """A correction holds for the past by --date-back."""
    prepare(server.at("/data.json", raw(later())), now=NOW, date_back=True).store()
    assert usd("gpt-4o", BEFORE) == 3


def test_a_price_is_never_removed(server: Server) -> None:
    """What is gone is said to be, and kept, as long as the book is a later one."""
    data = later()
    data[0]["models"] = [known for known in data[0]["models"] if known["id"] != "claude-2"]
    found = prepare(server.at("/data.json", raw(data)), now=NOW)
    assert Change("gone", "anthropic", "claude-2", "its price is kept") in found.changes
    found.store()
    assert usd("claude-2", AFTER, "anthropic") == 8


@pytest.mark.long
def test_an_older_book_is_refused(server: Server) -> None:
    """A book without what is here, with nothing new, or with prices that began earlier, is an older one."""
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    held = updated().version
    earlier = later()
    earlier[0]["models"].append({"id": "claude-0", "match": {"equals": "claude-0"}, "prices": {"input_mtok": 1}})
    for known in (known for one in earlier for known in one["models"]):
        if isinstance(known["prices"], list):
            known["prices"] = known["prices"][:1]
        known.pop("price_variants", None)
    for data in (published(), earlier):
        with pytest.raises(PriceUpdateError, match="is older than genai-prices") as refused:
            prepare(server.at("/data.json", raw(data)), now=AFTER)
        assert refused.value.refused
    assert updated().version == held


def test_a_part_of_the_book_is_refused_where_it_should_be_whole(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What genai-prices publishes has all providers."""
    data = [next(one for one in later() if one["id"] == "openai")]
    monkeypatch.setattr(genai_prices_data, "URL", server.at("/data.json", raw(data)))
    with pytest.raises(PriceUpdateError, match="is not whole") as refused:
        prepare(now=NOW)
    assert refused.value.refused


def test_a_part_of_a_book_is_laid_over_what_is_here(server: Server) -> None:
    """Somebody's own data in the form of genai-prices changes what it has, and nothing else."""
    models = [
        {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 3}},
        {"id": "gpt-99", "match": {"equals": "gpt-99"}, "prices": {"input_mtok": 9}},
    ]
    prepare(server.at("/data.json", raw([{"id": "openai", "models": models}])), now=NOW).store()
    assert [usd(name, AFTER) for name in ("gpt-4o", "gpt-99", "gpt-4.1")] == [3, 9, 2]
    assert usd("gpt-4o", BEFORE) == Decimal("2.5")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"[]", b"{}", b"null", b"[1]", b"<html>Sign in</html>", b"\x00\xff\xfe", b"[" * 100_000, b"{" * 100,
        b'[{"id": "openai", "models": [{"id": "x", "match": {"regex": "("}, "prices": {}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"equals": "x"}, "prices": {"input_mtok": -1}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"equals": "x"}, "prices": {"input_mtok": NaN}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"equals": "x"}, "prices": {"input_mtok": "lots"}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"equals": "x"}, "prices": {"input_mtok": 1e99}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"equals": "x"}, "prices": {"input_mtok": {"base": 1}}}]}]',
        b'[{"id": "openai", "models": [{"id": "x", "match": {"sounds_like": "x"}, "prices": {}}]}]',
        b'[{"id": "openai\\tx", "models": []}]', b"version: 1\ncurrency: EUR\nprices: []\n",
    ],
)  # fmt: skip
def test_garbage_is_refused(server: Server, home: Path, body: bytes) -> None:
    """Whatever is no price book changes nothing, and raises nothing else."""
    with pytest.raises(PriceUpdateError):
        prepare(server.at("/data.json", body), now=NOW).store()
    assert not home.exists()


def test_nobody_answers() -> None:
    """A port that nobody listens on, and a name that nobody has."""
    for url in ("http://127.0.0.1:9/x", "https://no-such-host.invalid/x"):
        with pytest.raises(PriceUpdateError, match="cannot be reached"):
            fetch(url)


def test_an_answer_that_is_cut_is_refused(server: Server) -> None:
    """By its length, by its chunks, or because it has neither."""

    def short(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Content-Length": "1000"})
        handler.wfile.write(b"version: 1\n")

    def half_a_chunk(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Transfer-Encoding": "chunked"})
        handler.wfile.write(b"ff\r\nversion: 1\n")

    def endless(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {})
        handler.wfile.write(b"version: 1\n")

    for answer in (short, half_a_chunk, endless):
        with pytest.raises(PriceUpdateError):
            fetch(server.at("/x", answer))


def test_a_whole_answer_in_chunks_is_read(server: Server) -> None:
    """An answer may tell its length as it goes."""

    def chunks(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Transfer-Encoding": "chunked"})
        handler.wfile.write(b"5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n")

    assert fetch(server.at("/x", chunks)) == b"abcdefgh"


def test_an_answer_that_is_too_large_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it says, without reading it; and by what comes."""

    def says(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Content-Length": "99999999999"})

    def comes(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Transfer-Encoding": "chunked"})
        with suppress(OSError):  # who is asked hangs up
            for _ in range(1_000):
                handler.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    for answer in (says, comes):
        with pytest.raises(PriceUpdateError, match="is larger than 16,000,000 bytes"):
            fetch(server.at("/x", answer))
    big = Path(updates.path("x") or "").with_name("big")
    big.parent.mkdir(parents=True)
    monkeypatch.setattr(download, "MAX_BYTES", 10)
    big.write_bytes(b"x" * 11)
    with pytest.raises(PriceUpdateError, match="is larger"):
        fetch(str(big))


def test_an_answer_that_trickles_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a byte now and then does not keep us."""
    monkeypatch.setattr(download, "_DEADLINE_S", 0.0)

    def trickles(handler: BaseHTTPRequestHandler) -> None:
        head(handler, {"Content-Length": "2"})
        handler.wfile.write(b"x")
        handler.wfile.flush()

    with pytest.raises(PriceUpdateError, match="took longer"):
        fetch(server.at("/x", trickles))


@pytest.mark.long
def test_redirects_stay_with_the_host(server: Server) -> None:
    """To another path of the same host, yes, with what it was asked with; to another one, or a file, no."""

    def to(place: str) -> Answer:
        return lambda handler: head(handler, {"Location": place, "Content-Length": "0"}, status=302)

    url = server.at("/whole", b"whole").replace("://", "://me:SECRET@")
    server.at("/here", to("/whole"))
    assert fetch(url.replace("/whole", "/here")) == b"whole"
    assert [path for path, _ in server.seen] == ["/here", "/whole"]
    assert {authorization for _, authorization in server.seen} == {"Basic bWU6U0VDUkVU"}
    for place in ("http://127.0.0.2:1/x", "https://example.com/x", "file:///etc/passwd", f"http://127.0.0.1:{1}/x"):
        with pytest.raises(PriceUpdateError) as refused:
            fetch(server.at("/away", to(place)))
        assert "etc/passwd" not in str(refused.value)
        assert all(found.isclosed() for found in gc.get_objects() if isinstance(found, HTTPResponse))
    with pytest.raises(PriceUpdateError):
        fetch(server.at("/round", to("/round")))


@pytest.mark.parametrize(
    "source",
    ["http://example.com/x", "ftp://example.com/x", "file:///etc/passwd", "https://", "http://127.0.0.1.evil.org/x",
     "http://localhost.evil.org/x", "https://[::1/x", "https://example.com:x/"],
)  # fmt: skip
def test_only_https_and_files(source: str) -> None:
    """http is for this machine, where nobody stands between."""
    with pytest.raises(PriceUpdateError):
        fetch(source)


def test_a_host_is_who_it_says_it_is(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody we trust has signed is refused; one that somebody has, is not."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.at("/x", b"whole").replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(PriceUpdateError, match="cannot be reached"):
        fetch(url)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert fetch(url) == b"whole"


@pytest.mark.long
def test_messages_and_what_is_stored_have_no_credentials(server: Server) -> None:
    """A key in an address or a query goes to its host, and nowhere else."""
    url = server.at("/p?sig=SECRET", raw(later())).replace("://", "://me:SECRET@")
    found = prepare(url, now=NOW)
    found.store()
    assert server.seen == [("/p?sig=SECRET", "Basic bWU6U0VDUkVU")]
    assert "SECRET" not in str(found.book.header)
    for wrong in (
        "http://me:SECRET@127.0.0.1:9/x?k=SECRET",
        "https://me:SECRET@x.invalid/?k=SECRET",
        "http://me:SECRET@example.com/",
    ):
        with pytest.raises(PriceUpdateError) as refused:
            fetch(wrong)
        assert "SECRET" not in str(refused.value)
        assert "SECRET" not in printable_url(wrong)
    refusing = server.at("/no?k=SECRET", lambda handler: head(handler, {"Content-Length": "0"}, status=403))
    with pytest.raises(PriceUpdateError, match="status 403") as refused:
        fetch(refusing)
    assert "SECRET" not in str(refused.value)


BOOK = """
version: {version}
currency: USD
prices:
  - provider: acme
    match: {{model: large}}
    rates: {{input_tokens: {{usd: "{usd}", per: 1000000}}}}
"""


def test_a_book_of_a_company_is_over_ours_and_under_the_users(server: Server, tmp_path: Path) -> None:
    """What it has wins over what this release has; the user's own file wins over it."""
    body = (
        BOOK.format(version=5, usd=1)
        + """
  - provider: openai
    match: {model: gpt-4o}
    base: {provider: openai}
    multiplier: "0.5"
"""
    )
    prepare(server.at("/acme.yaml", body.encode()), now=NOW).store()
    assert usd("large", AFTER, "acme") == 1
    assert usd("gpt-4o", AFTER) == Decimal("1.25")
    own = tmp_path / "own.yaml"
    own.write_text(BOOK.format(version="own", usd=7))
    assert price(MILLION, provider="acme", model="large", prices=pricing.load(str(own))).total == 7
    assert pricing.load(str(own)).version == f"own+5+{builtin().version}"


def test_a_companys_book_changes_no_call_of_the_past(server: Server, tmp_path: Path) -> None:
    """Changed, gone and come back: each price holds for its time."""
    path = tmp_path / "acme.yaml"
    other = BOOK.format(version=8, usd=9).replace("large", "small")
    for hours, text in enumerate((BOOK.format(version=6, usd=1), BOOK.format(version=7, usd=2), other)):
        path.write_text(text)
        found = prepare(str(path), now=NOW + timedelta(hours=hours))
        found.store()
    assert {(change.kind, change.model) for change in found.changes} == {("new", "small"), ("gone", "large")}
    at = [NOW + timedelta(hours=hours) for hours in (-9, 0.5, 1.5, 2.5)]
    assert [usd("large", moment, "acme") for moment in at] == [1, 1, 2, None]
    assert usd("small", NOW - timedelta(days=9), "acme") == 9
    path.write_text(BOOK.format(version="7", usd=2))
    with pytest.raises(PriceUpdateError, match="it is older") as refused:
        prepare(str(path), now=at[-1])
    assert refused.value.refused
    path.write_text(other.replace('"9"', '"10"'))
    assert prepare(str(path), now=at[-1]).version not in ("8", updated().version)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("2026-11-22.1", "2026-11-22.2"), ("2026-11-22.9", "2026-11-22.10"), ("acme-9", "acme-10"), ("1.2", "1.2.1")],
)
def test_versions_in_order(earlier: str, later: str) -> None:
    """By their numbers, not by their letters."""
    assert price_update._order(earlier) < price_update._order(later)


@pytest.mark.long
def test_what_is_stored_and_damaged_is_passed_over_with_one_warning(
    server: Server, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a byte is: the built-in prices hold, and the log says what to do."""
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    stored = home / "base.book"
    good = stored.read_bytes()
    for bad in (
        good[:-100],
        good.replace(b'"3"', b'"1"', 1),
        b"",
        b"\x00" * 1_000,
        good.replace(b"book 1", b"book 9", 1),
    ):
        stored.write_bytes(bad)
        updates._warned.clear()
        caplog.clear()
        assert usd("gpt-4o", AFTER) == Decimal("2.5")
        assert updated().version == builtin().version
        (said,) = caplog.messages
        assert "The built-in prices are used; run `otel-costs prices update` again." in said
    stored.unlink()
    stored.mkdir()
    assert usd("gpt-4o", AFTER) == Decimal("2.5")


@pytest.mark.long
def test_a_new_release_is_not_held_back_by_an_update_of_the_last_one(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may know more than what was stored over the release before it."""
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    monkeypatch.setattr(updates, "_RELEASE", "genai-prices-0.2.4")
    assert usd("gpt-4o", AFTER) == Decimal("2.5")
    assert "run `otel-costs prices update` again" in caplog.text


@pytest.mark.long
def test_forgotten_is_built_in(server: Server, home: Path) -> None:
    """The prices of the release are a command away."""
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    assert [path.name for path in updates.forget()] == ["base.book"]
    assert updates.forget() == []
    assert updated().version == builtin().version
    (home / "book.book").mkdir()
    with pytest.raises(PriceUpdateError, match="cannot be removed"):
        updates.forget()


@pytest.mark.long
def test_a_disk_that_is_full_is_an_error_and_no_loss(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored stays."""
    prepare(server.at("/data.json", raw(later())), now=NOW).store()
    stored = (home / "base.book").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PriceUpdateError, match="No space left"):
        prepare(server.at("/data.json", raw(later())), now=AFTER).store()
    assert (home / "base.book").read_bytes() == stored


# ---- once a day ----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_by_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a price, nor by an instrumented program that was not told to."""
    monkeypatch.setattr(genai_prices_data, "URL", server.at("/data.json", raw(later())))
    monkeypatch.delenv("OTEL_COSTS_PRICES_UPDATE", raising=False)
    daily_update.start()
    assert price(MILLION, provider="openai", model="gpt-4o").total == Decimal("2.5")
    assert server.seen == []
    assert [thread for thread in threading.enumerate() if thread.name == "otel_costs:prices"] == []


def test_a_process_that_was_told_to_updates_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread of its own; and the prices that it fetched are in force."""
    fetched = threading.Event()
    used = price_book.use

    def use(book: PriceBook | None) -> None:
        used(book)
        fetched.set()

    monkeypatch.setattr(price_book, "use", use)
    monkeypatch.setattr(genai_prices_data, "URL", server.at("/data.json", raw(later())))
    monkeypatch.setenv("OTEL_COSTS_PRICES_UPDATE", "daily")
    daily_update.start()
    try:
        assert fetched.wait(60)
        assert price(MILLION, provider="openai", model="gpt-7").total == Decimal("1.5")
        assert timedelta(hours=23) < daily_update.due(datetime.now(UTC)) <= timedelta(days=1)
    finally:
        daily_update.stop()


@pytest.mark.parametrize("body", [b"garbage", raw([]), b'[{"id": "x", "models": []}]'])
def test_what_is_worse_than_what_is_here_is_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    """One warning, and the prices that are here."""
    monkeypatch.setattr(genai_prices_data, "URL", server.at("/data.json", body))
    assert not daily_update.update()
    assert "those that are here hold" in caplog.text
    assert updated().version == builtin().version


def test_a_word_that_is_no_choice_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """`hourly` is not offered."""
    monkeypatch.setenv("OTEL_COSTS_PRICES_UPDATE", "hourly")
    daily_update.start()
    assert "OTEL_COSTS_PRICES_UPDATE must be daily, or off." in caplog.text


FORKS = """
import os, threading, sys
from otel_costs.pricing import daily_update, genai_prices_data
genai_prices_data.URL = sys.argv[1]
daily_update.start()
child = os.fork()
if child == 0:
    from otel_costs import price
    usd = price({"input_tokens": 1}, provider="openai", model="gpt-4o").total
    os._exit(0 if usd is not None and threading.active_count() == 1 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_of_a_fork_does_not_fetch(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is its parent's, and so is what that fetches."""
    go = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        go.wait(60)
        head(handler, {"Content-Length": "0"}, status=503)

    monkeypatch.setenv("OTEL_COSTS_PRICES_UPDATE", "daily")
    url = server.at("/data.json", answer)
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", FORKS, url]) as parent:
        code = parent.wait(60)
    go.set()
    assert code == 0
    assert len(server.seen) <= 1


def test_a_call_does_not_wait_for_an_update(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a fetch hangs, prices are what they were, at once."""
    asked, go = threading.Event(), threading.Event()

    def hangs(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go.wait(60)
        head(handler, {"Content-Length": "0"}, status=503)

    monkeypatch.setenv("OTEL_COSTS_PRICES_UPDATE", "daily")
    monkeypatch.setattr(genai_prices_data, "URL", server.at("/data.json", hangs))
    daily_update.start()
    try:
        assert asked.wait(60)
        assert price(MILLION, provider="openai", model="gpt-4o").total == Decimal("2.5")
        assert not go.is_set()
    finally:
        daily_update.stop()
        go.set()


def test_a_warning_is_given_at_most_once(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often the prices are read."""
    home.mkdir(parents=True)
    (home / "book.book").write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            updated()
    assert len(caplog.messages) == 1
