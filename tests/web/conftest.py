"""A program that mounts the API behind a login of its own, over a store that is reached by its address."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

import otel_costs
from otel_costs.local import Stack

from .support import served

RIGHTS = {"clerk": (), "editor": ("content",), "robot": ("write",), "boss": ("content", "write")}
"""The users of the program, and what they may."""


class Login:
    """The program's own login: a cookie names the user."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["user"] = Request(scope).cookies.get("login")
        await self._app(scope, receive, send)


def may_read(request: Request) -> bool:
    """Say whether the user may read conversations; only users are let through."""
    user = request.state.user
    if user not in RIGHTS:
        raise HTTPException(401, "log in first")
    return "content" in RIGHTS[user]


async def may_write(request: Request) -> bool:
    """Say whether the user may write."""
    return "write" in RIGHTS[request.state.user]


@pytest.fixture(scope="module")
def program(emptied_stack: Stack) -> Iterator[str]:
    """Run the program; give the address at which the API is mounted."""
    host = FastAPI()
    host.add_middleware(Login)
    dsn = emptied_stack.http_url
    host.mount("/costs", otel_costs.web.app(dsn=dsn, writer_dsn=dsn, content=may_read, write=may_write))
    with served(host) as url:
        yield f"{url}/costs"


def cookie(user: str) -> dict[str, str]:
    """Return the header of a user who is logged in."""
    return {"Cookie": f"login={user}"}
