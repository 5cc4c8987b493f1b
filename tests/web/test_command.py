"""`otel-costs web` beside a store: tokens for roles, a proxy's header, and what it refuses to start with."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.requests import Request

from otel_costs.cli.app import app as commands
from otel_costs.local import Stack
from otel_costs.web.access import RefusedError
from otel_costs.web.roles import CONVERSATIONS, COSTS, WRITING, Roles
from tests.local.support import export_logs, ledger_record, send

from .support import asked, got, refusal, sent

PROGRAM = str(Path(sys.executable).with_name("otel-costs"))
CALL = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1}, "session": "told"}


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in more.items()}}


@pytest.fixture(scope="module")
def web(emptied_stack: Stack) -> Iterator[Callable[..., str]]:
    """Start the command with options, over a store with one session; return its address."""
    assert export_logs(emptied_stack.otlp_http_url, [ledger_record("s1")]).status == 200
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        dsn = emptied_stack.http_url
        command = [PROGRAM, "web", "--port", "0", "--dsn", dsn, "--writer-dsn", dsn]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        made = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=environment)
        running.append(made)
        assert made.stdout is not None
        line = made.stdout.readline()
        assert line.startswith("otel-costs web is ready: "), line
        return line.split()[-1].removesuffix("/")

    yield start
    for one in running:
        one.send_signal(signal.SIGTERM)
        one.communicate(timeout=30)
    assert {one.returncode for one in running} == {0}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("t-costs", (False, False)),
        ("t-words", (True, False)),
        ("t-write", (False, True)),
        ("t-cost", 401),
        ("", 401),
        (None, 401),
    ],
)
def test_what_a_token_gives(token: str | None, expected: tuple[bool, bool] | int) -> None:
    """Each token its role and no more; what is none, nothing."""
    roles = {"t-costs": {COSTS}, "t-words": {COSTS, CONVERSATIONS}, "t-write": {COSTS, WRITING}}
    access = Roles({name: frozenset(of) for name, of in roles.items()})
    headers = [(b"host", b"localhost"), *([] if token is None else [(b"authorization", f"Bearer {token}".encode())])]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers})
    if isinstance(expected, int):
        with pytest.raises(RefusedError) as refused:
            asyncio.run(access.rights(request))
        assert refused.value.status == expected
    else:
        rights = asyncio.run(access.rights(request))
        assert (rights.content, rights.write) == expected


@pytest.mark.long
def test_a_token_stands_for_a_role(web: Callable[..., str]) -> None:
    """Each reads what calls cost; conversations and writing have tokens of their own."""
    url = web("--token", "t-costs", "--conversations-token", "t-words", "--writing-token", "t-write")
    assert send(f"{url}/ping").text == "Ok.\n"
    assert "wants a token" in refusal(asked(f"{url}/api/v1/summary"), 401)
    assert "wants a token" in refusal(asked(f"{url}/api/v1/summary", bearer("t-cost")), 401)
    for token in ("t-costs", "t-words", "t-write"):
        assert got(f"{url}/api/v1/summary", bearer(token))["call_count"] >= 1
        withheld = "content_withheld" in got(f"{url}/api/v1/sessions/s1", bearer(token))
        assert withheld == (token != "t-words")
        answer = sent(f"{url}/api/v1/calls", CALL, bearer(token))
        assert answer.status == (200 if token == "t-write" else 403), answer.text
    assert refusal(sent(f"{url}/api/v1/calls", CALL, bearer("t-write", Origin="http://evil.example")), 403)


@pytest.mark.long
def test_a_proxy_says_what_a_request_may_do(web: Callable[..., str]) -> None:
    """The header counts for who brings the proxy's token, under whatever name the proxy is called."""
    url = web("--token", "proxy", "--roles-header", "X-Roles")

    def asks(path: str, *, roles: str | None = "costs", token: str = "proxy", body: Any = None) -> int:
        headers = bearer(token, Host="costs.example") | ({"X-Roles": roles} if roles is not None else {})
        answer = sent(f"{url}/api/v1/{path}", body, headers) if body else asked(f"{url}/api/v1/{path}", headers)
        return answer.status

    assert asks("summary") == 200
    assert asks("summary", token="nobody") == 401
    for roles in (None, "", "conversations", "admin"):
        assert asks("summary", roles=roles) == 403
    assert asks("sessions?q=word") == 403
    assert asks("sessions?q=word", roles="costs, conversations") == 200
    assert asks("calls", body=CALL) == 403
    assert asks("calls", roles="writing,costs", body=CALL) == 200


@pytest.mark.long
def test_without_a_token_it_is_for_this_machine(web: Callable[..., str]) -> None:
    """Everything is allowed there, but under no other name, and to no page of elsewhere."""
    url = web()
    assert "content_withheld" not in got(f"{url}/api/v1/sessions/s1")
    assert sent(f"{url}/api/v1/calls", CALL).status == 200
    assert "Host" in refusal(asked(f"{url}/api/v1/summary", {"Host": "evil.example"}), 403)
    assert "origin" in refusal(sent(f"{url}/api/v1/calls", CALL, {"Origin": "http://evil.example"}), 403)
    taken = subprocess.run(
        [PROGRAM, "web", "--port", url.rpartition(":")[2]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (taken.returncode, taken.stdout) == (2, "")
    assert "choose another one with --port" in taken.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "give a --token"),
        (["--roles-header", "X-Roles"], "goes with --token alone"),
        (["--user-header", "X-User"], "goes with --roles-header"),
        (["--token", "a", "--writing-token", "b", "--roles-header", "X-Roles"], "goes with --token alone"),
    ],
)
def test_what_it_does_not_start_with(options: list[str], said: str) -> None:
    """It says what to give."""
    found = CliRunner().invoke(commands, ["web", *options])
    assert found.exit_code == 2
    assert said in found.output
    assert json.dumps(found.output).count("\\n") == 1
