"""The API in a FastAPI program with a login of its own, and the same in `otel-costs local`."""

import json
import subprocess
import sys
from urllib.parse import quote

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from starlette.requests import Request

import otel_costs
from otel_costs.local import Stack
from tests.local.support import LATELY_NS, export_logs, key_values, ledger_record, send

from .conftest import cookie
from .support import asked, got, refusal, served

IDS = ["s1", "a/b", "c/end", "x.json", "line\nbreak", "é ü", "%2F", "?q=1", "..", "a//b"]


@pytest.fixture(scope="module", autouse=True)
def filled(emptied_stack: Stack) -> None:
    """Fill the store with sessions of odd names, in which a secret is said."""
    records = [ledger_record(name, seq=number + 1) for number, name in enumerate(IDS)]
    records += [_said("s1", "m1", "the secret word"), _said("s1", "m2", "", arguments='{"city": "Ulm"}')]
    assert export_logs(emptied_stack.otlp_http_url, records).status == 200


def _said(session: str, message_id: str, content: str, arguments: str = "") -> LogRecord:
    attributes = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": message_id,
        "otel_costs.message.role": "user",
        "otel_costs.message.type": "function_call" if arguments else "text",
        "otel_costs.message.function_name": "weather" if arguments else "",
        "otel_costs.message.arguments": arguments,
        "session.id": session,
        "user.id": "user-1",
    }
    body = AnyValue(string_value=content)
    return LogRecord(
        time_unix_nano=LATELY_NS, event_name="otel_costs.message", attributes=key_values(attributes), body=body
    )


def test_the_program_and_local_say_the_same(program: str, emptied_stack: Stack) -> None:
    """One code: through the mount, and on the port of `local`, for the same store."""
    for path in ("costs?by=day,model", "sessions?sort=cost", "sessions/s1"):
        mounted = send(f"{program}/api/v1/{path}", headers=cookie("boss"))
        own = send(f"{emptied_stack.http_url}/api/v1/{path}")
        assert (mounted.status, mounted.body) == (own.status, own.body)
        assert mounted.status == 200
    plain = json.loads(send(f"{program}/sessions/s1", headers=cookie("boss")).text)
    assert plain == got(f"{emptied_stack.http_url}/sessions/s1")
    total = got(f"{program}/api/v1/summary", cookie("clerk"))
    assert (total["call_count"], total["cost_usd"]) == (len(IDS), "0.117500")


def test_who_is_not_logged_in_sees_nothing(program: str) -> None:
    """The host's own function decides, before anything else is looked at."""
    for path in ("summary", "sessions/s1", "openapi.json", "nothing", "summary?nonsense=1"):
        assert refusal(asked(f"{program}/api/v1/{path}"), 401) == "log in first"


@pytest.mark.some(2)
@pytest.mark.parametrize("session_id", IDS)
def test_a_session_of_any_name_opens(program: str, emptied_stack: Stack, session_id: str) -> None:
    """Slashes, suffixes and signs of URLs are part of the name; so are line breaks, which no mount lets through."""
    written = quote(session_id, safe="")
    assert got(f"{emptied_stack.http_url}/api/v1/sessions/{written}")["session_id"] == session_id
    if "\n" not in session_id:
        assert got(f"{program}/api/v1/sessions/{written}", cookie("clerk"))["session_id"] == session_id


def test_what_was_said_is_for_who_may_read_it(program: str) -> None:
    """Without the right the frame stays, and says that content is withheld; a search is refused."""
    seen = got(f"{program}/api/v1/sessions/s1", cookie("boss"))
    assert [message["content"] for message in seen["messages"]] == ["the secret word", ""]
    assert seen["messages"][1]["metadata"]["arguments"] == {"city": "Ulm"}
    assert "content_withheld" not in seen
    found = asked(f"{program}/api/v1/sessions/s1", cookie("clerk"))
    assert "secret" not in found.text
    assert "Ulm" not in found.text
    frame = json.loads(found.text)
    assert frame["content_withheld"] is True
    assert [message["role"] for message in frame["messages"]] == ["user", "user"]
    assert frame["cost"] == seen["cost"]
    for path in ("sessions", "costs", "summary"):
        assert "q" in refusal(asked(f"{program}/api/v1/{path}", cookie("clerk"), q="secret"), 403)
    words = {"q": "SECRET word"}
    assert [row["session_id"] for row in got(f"{program}/api/v1/sessions", cookie("boss"), **words)["sessions"]] == [
        "s1"
    ]
    assert got(f"{program}/api/v1/costs", cookie("boss"), **words)["total"]["call_count"] == 1


def test_what_is_not_there(program: str) -> None:
    """404 in JSON, also for an address that is none; a method that is not for it is 405."""
    assert "'nobody'" in refusal(asked(f"{program}/api/v1/sessions/nobody", cookie("clerk")), 404)
    assert "openapi.json" in refusal(asked(f"{program}/api/v1/nothing", cookie("clerk")), 404)
    assert "use GET" in refusal(send(f"{program}/api/v1/costs", headers=cookie("boss"), method="DELETE"), 405)


@pytest.mark.parametrize("name", ["content", "write"])
def test_a_function_of_the_program_that_fails(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is granted: the answer names the function, the log the error, and neither what was in it."""

    def fails(_request: Request) -> bool:
        raise KeyError("secret")

    async def refuses(_request: Request) -> bool:
        raise PermissionError("secret")

    for right, status in ((fails, 500), (refuses, 403)):
        made = otel_costs.web.app(dsn="http://127.0.0.1:9", **{name: right})  # type: ignore[arg-type]
        with served(made) as url:
            for path in ("api/v1/summary", "api/v1/openapi.json", "sessions"):
                said = refusal(asked(f"{url}/{path}"), status)
                assert f"{name}=" in said
                assert "secret" not in said
    assert f"the function {name}= that the program gave to otel_costs.web.app failed: KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_a_store_that_is_away() -> None:
    """The program starts all the same, and each answer says what to do."""
    with served(otel_costs.web.app(dsn="http://127.0.0.1:9")) as url:
        assert "no store answers" in refusal(asked(f"{url}/api/v1/summary"), 503)
        assert got(f"{url}/api/v1/openapi.json")["info"]["title"] == "otel_costs"


@pytest.mark.long
def test_importing_the_package_imports_nothing_of_it() -> None:
    """The application's process pays for the API when it asks for it."""
    source = (
        "import sys, otel_costs; before = set(sys.modules); web = otel_costs.web;"
        "print(*sorted(name for name in ('fastapi', 'pydantic', 'starlette', 'otel_costs.web') if name in before));"
        "print(*sorted(name for name in ('fastapi', 'starlette') if name in sys.modules)); web.app();"
        "print('fastapi' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == ["", "", "True"]
