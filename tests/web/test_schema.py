"""The API does what its OpenAPI description says: asked at random, nothing is undocumented, and nothing fails."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from otel_costs.local import Stack
from otel_costs.web.access import HostAccess
from otel_costs.web.application import application
from otel_costs.web.connected_store import ConnectedStore
from tests.local.support import export_logs, ledger_record
from tests.support.selection import examples

from .support import got, served

STREAM = "/api/v1/events"
"""Lasts half a minute, and is tried by itself."""

OPERATIONS = [
    ("GET", "/api/v1/summary"),
    ("GET", "/api/v1/costs"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/sessions/{session_id}"),
    ("POST", "/api/v1/sessions/{session_id}"),
    ("POST", "/api/v1/sessions/{session_id}/end"),
    ("POST", "/api/v1/calls"),
    ("GET", "/api/v1/calls"),
    ("GET", "/api/v1/calls/{call_id}"),
    ("GET", "/api/v1/tags"),
    ("GET", "/api/v1/compare"),
    ("GET", "/api/v1/statements"),
    ("GET", "/api/v1/report"),
    ("GET", "/api/v1/usage"),
    ("GET", "/api/v1/usage/cache"),
    ("POST", "/api/v1/what-if"),
    ("GET", "/api/v1/inbox"),
    ("GET", "/api/v1/prices"),
    ("GET", "/api/v1/prices/missing"),
    ("GET", "/api/v1/reasons"),
    ("GET", "/api/v1/contracts"),
    ("GET", "/api/v1/budgets"),
    ("GET", "/api/v1/budgets/enforced"),
    ("GET", "/api/v1/alerts"),
    ("POST", "/api/v1/alerts/acknowledge"),
    ("POST", "/api/v1/alerts/silence"),
    ("POST", "/api/v1/alerts/rules"),
    ("POST", "/api/v1/alerts/rules/remove"),
    ("PUT", "/api/v1/budgets/all/{period}"),
    ("DELETE", "/api/v1/budgets/all/{period}"),
    ("PUT", "/api/v1/budgets/{scope}/{period}/{name}"),
    ("DELETE", "/api/v1/budgets/{scope}/{period}/{name}"),
]

CHECKS: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def described(emptied_stack: Stack) -> Any:
    """Return the description that a running server gives."""
    assert export_logs(emptied_stack.otlp_http_url, [ledger_record("s1"), ledger_record("a/b", seq=2)]).status == 200
    return schemathesis.openapi.from_url(f"{emptied_stack.http_url}/api/v1/openapi.json")


def test_every_operation_is_tried() -> None:
    """A new one is put into the list."""
    with served(application(ConnectedStore("http://127.0.0.1:9"), HostAccess())) as url:
        paths = got(f"{url}/api/v1/openapi.json")["paths"]
    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert found - {("GET", STREAM)} == set(OPERATIONS)
    assert len(OPERATIONS) == len(set(OPERATIONS))


@pytest.mark.some(10)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_asked_is_answered_as_described(
    described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    """No 500; each status, content type and body is one that the description has."""
    operation = described[path][method]
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(examples(20), phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    ask()
