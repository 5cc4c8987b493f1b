"""Who read what was said: a line for each reading, with who, when and which session, and no word of it."""

import asyncio
import json
import logging
import os
import signal
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request

import otel_costs
from otel_costs.local import Stack
from otel_costs.web.access import HostAccess
from tests.cli.support import Ledger, at

from .support import asked, served
from .test_command import PROGRAM, bearer

WORD = "canary5d1fxq"


@pytest.fixture(scope="module")
def store(emptied_stack: Stack) -> str:
    """Return the address of a store with a conversation in it, whose id tries to forge a line."""
    ledger = Ledger(emptied_stack.http_url)
    for session in ("s1", 's2\n{"who": "root"}'):
        ledger.call(session, at("10:00:00"), user__id="ada", otel_costs__cost__usd="0.5")
        ledger.message(session, at("10:00:00"), "user", f"my {WORD}", user__id="ada")
    return emptied_stack.http_url


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of the log; each is one object, and has no word of what was read."""
    assert WORD not in text
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert datetime.fromisoformat(line.pop("at")) <= datetime.now(UTC)
    return found


@pytest.mark.long
def test_the_command(store: str) -> None:
    """By the proxy's header; requests without the right to read conversations leave no line."""
    options = [
        "--port",
        "0",
        "--dsn",
        store,
        "--token",
        "proxy",
        "--roles-header",
        "X-Roles",
        "--user-header",
        "X-User",
    ]
    with subprocess.Popen(
        [PROGRAM, "web", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as made:
        assert made.stdout is not None
        url = made.stdout.readline().split()[-1].removesuffix("/")
        reader = bearer("proxy", X_Roles="costs,conversations", X_User="eve@example.com")
        for path in (
            "/api/v1/sessions/s1",
            "/sessions/s2%0A%7B%22who%22%3A%20%22root%22%7D",
            f"/api/v1/sessions?q={WORD}",
            "/api/v1/sessions",
            "/api/v1/summary",
        ):
            assert asked(f"{url}{path}", reader).status == 200
        assert asked(f"{url}/api/v1/sessions/s1", bearer("proxy", X_Roles="costs", X_User="mallory")).status == 200
        assert asked(f"{url}/api/v1/sessions/none", reader).status == 404
        nameless = bearer("proxy", X_Roles="costs,conversations")
        assert asked(f"{url}/api/v1/sessions/s1", nameless).status == 200
        made.send_signal(signal.SIGTERM)
        _, said = made.communicate(timeout=30)
    eve = {"who": "eve@example.com"}
    assert lines(said) == [
        {**eve, "read": "session", "session": "s1"},
        {**eve, "read": "session", "session": 's2\n{"who": "root"}'},
        {**eve, "read": "search"},
        {"who": "token of costs, conversations", "read": "session", "session": "s1"},
    ]


def test_a_program_that_mounts_it(store: str, caplog: pytest.LogCaptureFixture) -> None:
    """The program says who, and its logging decides where the lines go."""
    caplog.set_level(logging.INFO, logger="otel_costs.access")

    async def who(request: Request) -> str:
        return request.headers["x-login"]

    host = FastAPI()
    host.mount("/costs", otel_costs.web.app(dsn=store, content=True, who=who))
    with served(host) as url:
        assert asked(f"{url}/costs/api/v1/sessions/s1", {"X-Login": "ada"}).status == 200
        assert asked(f"{url}/costs/sessions/s1.json", {"X-Login": "bob"}).status == 200
    said = "\n".join(record.getMessage() for record in caplog.records if record.name == "otel_costs.access")
    expected = [{"who": who, "read": "session", "session": "s1"} for who in ("ada", "bob")]
    assert lines(said) == expected


def test_who_it_is_without_a_function() -> None:
    """A token, or anybody: nothing is claimed that is not known."""
    request = Request({"type": "http", "method": "GET", "headers": [(b"authorization", b"Bearer t")]})
    assert asyncio.run(HostAccess(token="t", content=True).rights(request)).who == "token"
    assert asyncio.run(HostAccess(content=True).rights(request)).who == "anybody"
