"""Budgets of the store, as a program is held to them: real ones, of a real store, told by the real application."""

import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest
from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

import otel_costs
from otel_costs import semconv as names
from otel_costs.local import Stack
from otel_costs.runtime import background, telemetry
from otel_costs.sessions import budget_feed, shared_budgets
from otel_costs.sessions.budget_feed import StoredBudget
from otel_costs.sessions.shared_budgets import SharedLimit
from otel_costs.stand_in import Provider
from otel_costs.web import enforced_budgets
from tests.local.support import Answer, send
from tests.support.recorded import Recorded, instrumented
from tests.web.support import served


class Teller:
    """The budgets of a store, and a program that asks for them when the test says so, and not by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.paths: set[str] = set()

    def set(self, path: str, limit: str, **more: Any) -> None:
        body = json.dumps({"limit_usd": limit, **more}).encode()
        answer = send(f"{self.url}/budgets/{path}", body, {"Content-Type": "application/json"}, "PUT")
        assert answer.status == 200, answer.text
        self.paths.add(path)

    def take_away(self, path: str) -> None:
        assert send(f"{self.url}/budgets/{path}", method="DELETE").status == 200
        self.paths.remove(path)

    def ask(self) -> None:
        background.drain()
        assert budget_feed._feed is not None
        budget_feed._feed._ask()


@pytest.fixture
def told(emptied_stack: Stack, recorded_nowhere: Recorded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Teller]:
    """Instrument a program that is told of the budgets, as they are, and whose records go to the store at once."""
    monkeypatch.setattr(enforced_budgets, "FRESH_S", 0)
    monkeypatch.setattr(enforced_budgets, "_SHARE", 0)
    monkeypatch.setattr(budget_feed, "PAUSE_S", 3600)
    dsn = emptied_stack.http_url
    exporter = OTLPLogExporter(endpoint=f"{emptied_stack.otlp_http_url}/v1/logs")
    recorded_nowhere.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with served(otel_costs.web.app(dsn=dsn, writer_dsn=dsn, write=True)) as url:
        monkeypatch.setenv(names.ENV_BUDGETS, url)
        teller = Teller(f"{url}/api/v1")
        with instrumented(recorded_nowhere):
            budget_feed.wait(30)
            yield teller
        for path in list(teller.paths):
            teller.take_away(path)
    recorded_nowhere.logger_provider.shutdown()


@pytest.fixture
def recorded_nowhere() -> Recorded:
    """Return the SDK without anything that is instrumented by it yet."""
    return Recorded()


def spend(usd: str, **who: Any) -> None:
    with otel_costs.session(who.pop("id", "s"), **who):
        otel_costs.record("chat", provider="acme", model="m", usage={}, cost_usd=usd)


@pytest.mark.long
def test_a_program_is_held_to_what_others_have_spent(
    told: Teller, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the user, scenario, tag, service and model of a call, and by all; others go on."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    spend("5", user="ada", scenario="shop", team="sales")
    for path in ("user/day/ada", "scenario/month/shop", "tag/week/team=sales"):
        told.set(path, "5")
    told.set("model/day/gpt-4o", "0")
    told.ask()
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0) as client:

        def ask(model: str = "gpt-4o-mini") -> None:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])

        for who in ({"user": "ada"}, {"scenario": "shop"}, {"team": "sales"}):
            with otel_costs.session("x", **who), pytest.raises(otel_costs.BudgetExceeded) as no:
                ask()
            assert (no.value.session_id, no.value.budget_usd, no.value.spent_usd) == (None, Decimal(5), Decimal(5))
        assert str(no.value) == "tag 'team=sales' in a week has spent $5.000000 of its budget of $5.000000"
        with otel_costs.session("x", user="bob", scenario="other", team="support"):
            ask()
            with pytest.raises(otel_costs.BudgetExceeded, match="model 'gpt-4o' in a day"):
                ask("gpt-4o")
        told.set("all/day", "5")
        told.ask()
        with pytest.raises(otel_costs.BudgetExceeded, match="everybody in a day"):
            ask()
    assert len(provider.requests) == 1


def test_what_is_spent_between_two_answers_counts_once(told: Teller) -> None:
    """At once, by what the program knows itself; from the next answer on by what the store says."""
    told.set("user/day/eve", "3")
    told.ask()
    for left in ("2", "1"):
        spend("1", user="eve")
        assert otel_costs.check_budget(user="eve") == Decimal(left)
    for _ in range(2):
        told.ask()
        assert otel_costs.check_budget(user="eve") == 1
    (limit,) = shared_budgets._limits["user", "eve"].values()
    assert isinstance(limit, SharedLimit)
    assert len(limit._own) == 0
    spend("1", user="eve")
    with pytest.raises(otel_costs.BudgetExceeded, match="user 'eve' in a day has spent"):
        otel_costs.check_budget(user="eve")
    assert otel_costs.check_budget(user="somebody else") is None


@pytest.mark.long
def test_a_soft_budget_warns(told: Teller, caplog: pytest.LogCaptureFixture) -> None:
    """Once at 80 %, and once when a call passes it; calls go on."""
    told.set("user/day/sue", "1", soft=True)
    told.ask()
    for _ in range(3):
        spend("0.9", user="sue")
    assert otel_costs.check_budget(user="sue") == Decimal("-1.7")
    assert caplog.text.count("[COST] user 'sue' in a day has spent $0.900000 of its budget of $1.000000") == 1


def test_a_budget_that_is_taken_away_or_changed(told: Teller) -> None:
    told.set("user/day/amy", "1")
    told.ask()
    assert otel_costs.check_budget(user="amy") == 1
    told.set("user/day/amy", "2.5")
    told.ask()
    assert otel_costs.check_budget(user="amy") == Decimal("2.5")
    told.take_away("user/day/amy")
    told.ask()
    assert otel_costs.check_budget(user="amy") is None


@pytest.mark.long
def test_a_forked_process_asks_for_itself(told: Teller) -> None:
    """The calls of its parent are counted by that."""
    told.set("user/day/kid", "3")
    told.ask()
    parent = budget_feed._feed
    assert parent is not None
    spend("1", user="kid")
    telemetry._renew_process()  # as a fork does
    shared_budgets.wait()
    assert budget_feed._feed is not parent
    spend("1", user="kid")
    told.ask()
    assert otel_costs.check_budget(user="kid") == 1
    parent.stop()


def told_of(**more: Any) -> StoredBudget:
    now = time.time()
    found = {"scope": "user", "name": "u", "period": "day", "starts_s": now - 60, "ends_s": now + 60}
    return StoredBudget(**{**found, "limit_usd": Decimal(3), "spent_usd": Decimal(2), "soft": False, **more})


def test_the_next_period_begins_by_itself() -> None:
    """Without an answer: what was spent before it is not spent of it."""
    limit = SharedLimit(told_of())
    limit.count(Decimal(1), 7)
    assert limit.left_usd == 0
    limit.update(told_of(ends_s=time.time()), 0)
    limit.count(Decimal(1), 8)
    assert limit.left_usd == 2


def test_many_calls_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that never has them does not fill the memory."""
    monkeypatch.setattr(shared_budgets, "_KEPT", 3)
    limit = SharedLimit(told_of(limit_usd=Decimal(100)))
    for seq in range(1, 9):
        limit.count(Decimal(1), seq)
    assert (len(limit._own), limit.spent_usd) == (3, Decimal(10))
    limit.update(told_of(limit_usd=Decimal(100)), 7)
    assert limit.spent_usd == 3


class _Server(ThreadingHTTPServer):
    answers: list[Answer]
    asked: list[Any]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """Run something at the address that answers otherwise than the application."""
    running = _Server(("127.0.0.1", 0), _Handler)
    running.answers, running.asked = [], []
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv(names.ENV_BUDGETS, f"http://127.0.0.1:{running.server_address[1]}/")
    monkeypatch.setattr(budget_feed, "PAUSE_S", 3600)
    yield running
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {}, b"no"),
        Answer(302, {"Location": "http://127.0.0.1:1/"}, b""),
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b'{"budgets": [{"scope": "user"}]}'),
        Answer(200, {}, b'{"budgets": 7}'),
    ],
    ids=lambda answer: f"{answer.status}{answer.body.decode()}",
)
@pytest.mark.parametrize("mode", ["open", "closed", "anything"])
def test_what_is_no_answer(
    server: _Server, answer: Answer, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on, or are refused, as is asked for; it is said once, without the token."""
    server.answers = [answer]
    monkeypatch.setenv(names.ENV_BUDGETS_FAIL, mode)
    monkeypatch.setenv(names.ENV_BUDGETS_TOKEN, "sentinel-token")
    with instrumented(Recorded()):
        if mode == "closed":
            with pytest.raises(otel_costs.BudgetExceeded, match="the budgets of the store are not known"):
                otel_costs.check_budget(user="u")
        else:
            assert otel_costs.check_budget(user="u") is None
        assert budget_feed._feed is not None
        budget_feed._feed._ask()
    assert caplog.text.count("The budgets of the store are not known now") == 1
    assert "sentinel-token" not in caplog.text
    assert ("must be open or closed" in caplog.text) == (mode == "anything")
    assert len(server.asked) == 2
    assert {headers["Authorization"] for _, headers in server.asked} == {"Bearer sentinel-token"}


def test_what_has_not_changed_is_not_sent_again(server: _Server) -> None:
    """And is not stale: the answer is that it is the same."""
    row = {"scope": "user", "name": "u", "period": "day", "limit_usd": "2", "spent_usd": "1", "soft": False}
    row |= {"period_start": "2026-01-01T00:00:00Z", "period_end": "2126-01-01T00:00:00Z"}
    body = json.dumps({"seen_seq": 0, "budgets": [row]}).encode()
    server.answers = [Answer(200, {"ETag": '"a"'}, body), Answer(304, {"ETag": '"a"'}, b"")]
    with instrumented(Recorded()):
        assert otel_costs.check_budget(user="u") == 1
        assert budget_feed._feed is not None
        budget_feed._feed._ask()
        assert otel_costs.check_budget(user="u") == 1
    (_, first), (_, second) = server.asked
    assert ("If-None-Match" in first, second["If-None-Match"]) == (False, '"a"')


def test_it_is_not_instrumented(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others that watch HTTP are told to look away from what is asked."""
    seen: list[object] = []
    asked = budget_feed._Feed._answer

    def answer(feed: Any) -> Any:
        seen.append(context.get_value(_SUPPRESS_INSTRUMENTATION_KEY))
        return asked(feed)

    monkeypatch.setattr(budget_feed._Feed, "_answer", answer)
    server.answers = [Answer(200, {}, b'{"budgets": []}')]
    with instrumented(Recorded()):
        budget_feed.wait(30)
    assert seen == [True]


def test_no_call_waits_for_an_answer_that_does_not_come(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """But in the first second; with `open` not even then."""
    gate = threading.Event()
    asked = budget_feed._Feed._answer
    monkeypatch.setattr(budget_feed._Feed, "_answer", lambda feed: gate.wait(30) and asked(feed))
    monkeypatch.setenv(names.ENV_BUDGETS_FAIL, "closed")
    monkeypatch.setattr(budget_feed, "FIRST_S", 0)
    server.answers = [Answer(200, {}, b'{"budgets": []}')]
    with instrumented(Recorded()):
        for _ in range(2):
            with pytest.raises(otel_costs.BudgetExceeded, match="are not known"):
                otel_costs.check_budget()
        gate.set()
        budget_feed.wait(30)
        assert otel_costs.check_budget() is None


@pytest.mark.parametrize("address", ["", "off", "host:8123", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is asked; what is meant as one is said to be none."""
    monkeypatch.setenv(names.ENV_BUDGETS, address)
    with instrumented(Recorded()):
        assert not shared_budgets.is_on
        assert otel_costs.check_budget() is None
    assert ("must be the address of a report app" in caplog.text) == (address not in ("", "off"))
