"""Whatever is wrong with a call or a store: one line that says what to do, exit code 2, and no password anywhere."""

import logging
import socket
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import Result
from hypothesis import example, given
from hypothesis import strategies as st

from otel_costs.local import Stack
from otel_costs.store import StoreError, connect
from otel_costs.store.address import AddressError, read
from tests.support.selection import examples

from .support import MAIN, run

SECRET = "hunter2-Geheim"
SPECIAL = "hünter/2?#@:%&="


@pytest.fixture(scope="module")
def closed() -> int:
    """Return a port on which nobody listens."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def one_line(said: Result, *advice: str) -> str:
    """Return the error: one line, exit code 2, nothing on standard output, and no secret in any form."""
    assert said.exit_code == 2, (said.stdout, said.stderr, said.exception)
    assert said.stdout == ""
    assert said.stderr.startswith("Error: ")
    assert said.stderr.count("\n") == 1
    assert said.stderr.endswith("\n")
    for text in (SECRET, quote(SECRET), SPECIAL, quote(SPECIAL, safe="")):
        assert text not in said.stderr
    for text in advice:
        assert text in said.stderr
    return said.stderr


@pytest.mark.parametrize(
    ("dsn", "advice"),
    [
        ("localhost:8123", "begins with none of http://"),
        (f"u:{SECRET}@h:8123", "begins with none of http://"),
        (f"{SECRET}@h", "begins with none of http://"),
        (f"postgres://u:{SECRET}@h/db", "begins with none of http://"),
        (f"clickhouse://u:{SECRET}@h:9000", "begins with none of http://"),
        ("http:/localhost:8123", "begins with none of http://"),
        ("http://", "names no host"),
        (f"http://u:{SECRET}@:8123", "names no host"),
        (f"http://u:{SECRET}@127.0.0.1:port", "is no number from 1 to 65535"),
        (f"http://u:{SECRET}@127.0.0.1:0", "is no number from 1 to 65535"),
        (f"http://u:{SECRET}@127.0.0.1:65536", "is no number from 1 to 65535"),
        (f"http://u:{SECRET}@127.0.0.1:-1", "is no number from 1 to 65535"),
        (f"http://u:{SECRET}@127.0.0.1:", "is no number from 1 to 65535"),
        (f"http://u:{SECRET}", "is no number from 1 to 65535"),
        (f"http://u:a/{SECRET}@127.0.0.1:8123", "in percent"),
        (f"http://u:1/{SECRET}@127.0.0.1:8123", "in percent"),
        (f"http://u:1#{SECRET}@127.0.0.1:8123", "in percent"),
        (f"http://u:{SECRET}@[::1", "cannot be read"),
        (f"http://u:{SECRET}@127.0.0.1:8123 ", "blank"),
        (f"http://u:{SECRET}\n@127.0.0.1:8123", "blank"),
        ("chdb://folder", "three slashes"),
        ("chdb:///", "three slashes"),
        ("chdb:///proc/nothing/here", "give a folder that can be written to"),
        ("chdb:///dev/null", "give a folder that can be written to"),
    ],
)
def test_an_address_that_is_none(dsn: str, advice: str) -> None:
    """By option and by environment; what to give is said, and what was given is not repeated."""
    one_line(run("sessions", "--dsn", dsn), advice)
    one_line(run("report", url=dsn), advice)


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (f"reader:{SECRET}@", "reader:***@"),
        (f"reader:{quote(SPECIAL, safe='')}@", "reader:***@"),
        (f"{SECRET}@", "***@"),
        (f"{SECRET}:@", "***@"),
        (f"u%3A{SECRET}:x@", "***@"),
        (f":{SECRET}@", "***@"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_listens(closed: int, user: str, shown: str, host: str, scheme: str) -> None:
    """The address is named without its secret, wherever in it that stands."""
    where = f"{host}:{closed}/costs"
    said = one_line(run("sessions", "--dsn", f"{scheme}://{user}{where}"), f"{scheme}://{shown}{where}")
    assert "`otel-costs local`" in said
    assert "OTEL_COSTS_DSN" in said


def test_an_option_behind_an_address(closed: int) -> None:
    """It may be a secret, and what is none is named as such."""
    one_line(run("sessions", "--dsn", f"http://127.0.0.1:{closed}/?password={SECRET}"), "an option behind the ?")


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let somebody who is no ClickHouse answer each connection."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with closing(client):
                    try:
                        answer(client)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def _http(status: str, body: str) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.recv(65536)
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        client.sendall((head + body).encode())

    return answer


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (_http("200 OK", "<html>hello</html>"), "as ClickHouse does"),
        (_http("200 OK", ""), "as ClickHouse does"),
        (_http("404 Not Found", "no such page"), "is no ClickHouse"),
        (_http("500 Oh", "no"), "is no ClickHouse"),
        (lambda client: client.sendall(b"\x15\x03\x03\x00\x02\x02\x46"), "is no ClickHouse"),
        (lambda client: client.recv(10), "is no ClickHouse"),
    ],
)
def test_somebody_else_answers(answer: Callable[[socket.socket], None], advice: str) -> None:
    """A web page, nothing, an error, an alert of TLS, the end: none of them is a store."""
    with listening(answer) as port:
        one_line(run("sessions", "--dsn", f"http://u:{SECRET}@127.0.0.1:{port}"), advice, "OTEL_COSTS_DSN")


def test_tls_to_a_port_without(shared_stack: Stack) -> None:
    """The scheme to try is said."""
    dsn = shared_stack.http_url.replace("http://", f"https://u:{SECRET}@")
    one_line(run("sessions", "--dsn", dsn), "no TLS is spoken", "try http://")


def test_a_certificate_that_nobody_knows() -> None:
    """What to give is said."""
    trustme = pytest.importorskip("trustme")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def answer(client: socket.socket) -> None:
        context.wrap_socket(client, server_side=True).close()

    with listening(answer) as port:
        one_line(run("sessions", "--dsn", f"https://u:{SECRET}@127.0.0.1:{port}"), "is not trusted", "ca_cert=FILE")


@pytest.mark.long
def test_wrong_password_database_and_tables(tmp_path: Path) -> None:
    """A store that is there says what is wrong with the call; the token is told to nobody."""
    with Stack(tmp_path / "a", token=SECRET) as stack:
        own = stack.http_url.replace("http://", f"http://:{SECRET}@")
        assert run("sessions", "--dsn", own).exit_code == 0
        one_line(run("sessions", "--dsn", own.replace(SECRET, f"{SECRET}x")), "refused user or password")
        one_line(run("sessions", "--dsn", f"{own}/elsewhere"), "no such database")
        one_line(run("sessions", "--dsn", f"{own}/system"), "run `otel-costs schema`")


def test_tables_of_another_version(shared_stack: Stack) -> None:
    """An older store is told to be brought up to date."""
    client = connect(shared_stack.http_url)
    client.command("create database older")
    client.command("create view older.newest_sessions as select 1 as session_id where {up_to:UInt64} > 0")
    one_line(run("sessions", "--dsn", f"{shared_stack.http_url}/older"), "run `otel-costs schema`")
    client.command("drop database older")
    client.close()


@pytest.mark.long
def test_a_store_that_goes_away(tmp_path: Path) -> None:
    """Between connecting and asking, too."""
    with Stack(tmp_path) as stack:
        client = connect(stack.http_url)
    from otel_costs.store import reports

    with pytest.raises(StoreError, match="see that it runs"):
        reports.sessions(client)
    client.close()


def test_no_traceback_and_no_log_has_a_password(closed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Who lets the error pass, and writes all logs, learns no secret from them."""
    dsn = f"http://reader:{quote(SPECIAL, safe='')}@127.0.0.1:{closed}/costs"
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError) as caught:
        connect(dsn)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert SPECIAL not in shown
    assert quote(SPECIAL, safe="") not in shown


def test_help_does_not_repeat_the_environment() -> None:
    """--help names the variable, and not what is in it."""
    for name in ("sessions", "report", "schema", "export"):
        said = run(name, "--help", url=f"http://u:{SECRET}@127.0.0.1:1")
        assert said.exit_code == 0
        assert "OTEL_COSTS_DSN" in said.stdout
        assert SECRET not in said.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("sessions", "--frm", "x"),
        ("--bogus",),
        ("sesions",),
        ("sessions", "--limit", "0"),
        ("sessions", "--limit", "1" + "0" * 40),
        ("sessions", "--from", "soon"),
        ("sessions", "--format", "xml"),
        ("session",),
        ("search",),
        ("export", "secrets"),
        ("budget", "set", "x", "--all"),
        ("budget",),
        ("erase",),
        ("report", "--user"),
        ("sessions", "--dsn"),
        ("sessions", "--tag", "x"),
        ("sessions", "--user", "a\nb\x1b[31m", "--frm", "\x1b[31m\nx"),
    ],
)
def test_a_wrong_call(arguments: tuple[str, ...], closed: int) -> None:
    """One line that says what was wrong, and where to read more."""
    said = run(*arguments, url=f"http://127.0.0.1:{closed}")
    if arguments == ("budget",):
        assert (said.exit_code, "Usage: " in said.stderr) == (2, True)
        return
    one_line(said)
    assert "\x1b" not in said.stderr


hosts = st.sampled_from(["127.0.0.1", "localhost", "[::1]", "[::1", "", "127.0.0.1:x", "[fe80::1%25lo]", ".", "%", "ä"])
parts = st.sampled_from(["", "http://", "https://", "http:", "chdb://", "chdb:/", "HTTP://", "x://", "//", "http://["])
texts = st.text(st.characters(exclude_characters="\x00"), max_size=8)


@examples(400)
@given(st.one_of(st.builds("".join, st.lists(parts | hosts | texts | st.just(SECRET), max_size=6)), st.text()))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else comes of it; what is refused is not repeated."""
    try:
        found = read(text)
    except AddressError as error:
        assert SECRET not in str(error)  # noqa: PT017
    else:
        assert found.scheme in ("http", "https", "chdb")


@examples(400)
@given(
    user=texts,
    password=st.text(min_size=1).map(lambda text: f"{text}{SECRET}"),
    written=st.sampled_from(["", ":/?#@%"]),
)
@example(user="", password=SPECIAL + SECRET, written="")
def test_a_password_is_never_shown(user: str, password: str, written: str) -> None:
    """However it is written: in percent, in part, or as it is."""
    named = f"{quote(user, safe='', errors='replace')}:{quote(password, safe=written, errors='replace')}"
    try:
        found = read(f"http://{named}@127.0.0.1:8123/costs")
    except AddressError as error:
        assert SECRET not in str(error)  # noqa: PT017
    else:
        assert SECRET not in found.printable
        assert SECRET not in found.without_secrets(f"it said {password}")


options = st.lists(
    st.sampled_from(
        ["--user", "--scenario", "--from", "--to", "--limit", "--format", "--tag", "--cursor", "--dsn", "-x", "--"]
    )
    | st.text(max_size=12)
    | st.sampled_from(
        ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "\udc80", "a\x00b"]
    ),
    max_size=6,
)


@examples(60)
@given(
    command=st.sampled_from(["sessions", "session", "report", "search", "export", "budget", "erase"]), given_=options
)
def test_any_call_ends_in_one_line(closed: int, command: str, given_: list[str]) -> None:
    """Or in what it was asked for: never in a traceback."""
    chosen = [one for one in given_ if not one.startswith("chdb:")]
    said = run(command, *chosen, url=f"http://u:{SECRET}@127.0.0.1:{closed}")
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    assert said.exit_code in (0, 2)
    assert "Traceback" not in said.output
    assert SECRET not in said.output
    if said.exit_code == 2 and "Usage: " not in said.stderr:
        one_line(said)


@pytest.mark.some(1)
@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01", "1969-12-31"]
)
def test_moments_that_no_store_can_hold(store: str, moment: str) -> None:
    """They are before or after everything, and no error."""
    for command in ("sessions", "report", "export", "search x"):
        said = run(*command.split(), "--from", moment, "--to", moment, url=store)
        assert (said.exit_code, said.stderr.startswith("Error")) == (0, False), said.stderr


@pytest.mark.long
def test_what_is_no_text(store: str) -> None:
    """Bytes that are no UTF-8 are refused, and named as such."""
    done = subprocess.run([*MAIN, "sessions", "--user", b"\xff\xfe", "--dsn", store], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"UTF-8" in done.stderr
