"""Amounts in a body of JSON: all digits count, whether they are written as a number or as a text."""

import json
from decimal import Decimal

import pytest

from otel_costs.local import Stack
from otel_costs.web.exact_body import MAX_DEPTH, plain_numbers
from tests.local.support import Answer, send

from .support import JSON, refusal

CALL = '{"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1, "x": 1.5}, '


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Return where the API is, over an empty store."""
    return f"{emptied_stack.http_url}/api/v1"


def written(url: str, text: str, method: str) -> Answer:
    return send(url, text.encode(), JSON, method)


@pytest.mark.some(2)
@pytest.mark.parametrize("amount", ["123456789.123456789012", '"123456789.123456789012"', "12", "0.5", "1e-12", "1.50"])
def test_an_amount_is_what_was_written(api: str, amount: str) -> None:
    """A float has digits for the first seventeen alone."""
    exact = Decimal(amount.strip('"'))
    budget = written(f"{api}/budgets/user/month/ada", f'{{"limit_usd": {amount}}}', "PUT")
    assert budget.status == 200, budget.text
    assert Decimal(json.loads(budget.text)["limit_usd"]) == exact
    call = written(f"{api}/calls", f'{CALL} "cost_usd": {amount}}}', "POST")
    assert call.status == 200, call.text
    assert Decimal(json.loads(call.text)["cost_usd"]) == exact


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-0.5", "1e400", "1e99999999999999999999", "true", "[0.5]", '"x"']
)
def test_what_is_no_amount(api: str, amount: str) -> None:
    """It is refused, as before."""
    refusal(written(f"{api}/budgets/user/month/eve", f'{{"limit_usd": {amount}}}', "PUT"), 400)
    refusal(written(f"{api}/budgets/user/month/eve", '{"limit_usd": 0.5', "PUT"), 400)


def test_other_numbers_are_as_ever() -> None:
    """What was used is given on as a program would give it."""
    found = plain_numbers({"a": Decimal("1.5"), "b": [1, {"c": Decimal("2.25")}], "d": "x"})
    assert found == {"a": 1.5, "b": [1, {"c": 2.25}], "d": "x"}
    assert isinstance(found["a"], float)


@pytest.mark.parametrize("depth", [30, 40, 900, 100_000])
def test_how_deep_a_body_may_be(api: str, depth: int) -> None:
    """It is a bound of ours, and not where the interpreter gives up."""
    bodies = (
        ("calls", CALL.replace("1.5", '{"a":' * depth + "1" + "}" * depth) + '"step": "s"}', "POST"),
        ("what-if", f'{{"alternatives": {"[" * depth + "]" * depth}}}', "POST"),
    )
    for path, body, method in bodies:
        answer = written(f"{api}/{path}", body, method)
        if depth > MAX_DEPTH:
            assert refusal(answer, 400) == f"the body is nested deeper than {MAX_DEPTH} levels"
        else:
            assert answer.status == (200 if path == "calls" else 400), answer.text
            assert "nested" not in answer.text


@pytest.mark.parametrize(
    ("path", "text", "method", "twice"),
    [
        ("calls", CALL.replace('"x": 1.5', '"input_tokens": 1000000') + '"cost_usd": "1"}', "POST", "input_tokens"),
        ("calls", f'[{CALL} "cost_usd": "1", "cost_usd": "1"}}]', "POST", "cost_usd"),
        ("calls", CALL + '"tags": {"team": "a", "t\\u0065am": "b"}}', "POST", "team"),
        ("budgets/user/month/ada", '{"limit_usd": 1, "soft": true, "limit_usd": 2}', "PUT", "limit_usd"),
        ("what-if", '{"alternatives": [{"model": "a", "model": "b"}]}', "POST", "model"),
        ("sessions/x", '{"user": "ada", "user": "bob"}', "POST", "user"),
        ("alerts/silence", '{"hours": 1, "hours": 2}', "POST", "hours"),
    ],
)
def test_a_key_that_is_given_twice(api: str, path: str, text: str, method: str, twice: str) -> None:
    """It is refused, as a parameter is: which of the two is meant nobody knows."""
    assert f"{twice!r} is given twice" in refusal(written(f"{api}/{path}", text, method), 400)
