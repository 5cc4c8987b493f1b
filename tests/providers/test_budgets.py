"""Budgets hold whatever calls are made at once: threads, tasks and streams of the real client, however they end."""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls import estimate, request_size
from otel_costs.providers import openai_live
from otel_costs.runtime import background
from otel_costs.stand_in import Fault, Provider
from otel_costs.stand_in.fault import HEADER
from otel_costs.transports.websocket import Handshake
from tests.support import garbage
from tests.support.recorded import Recorded
from tests.support.selection import examples

from .conftest import HELLO, Driver

MODEL = "gpt-4o"
OUTPUT_TOKENS = 1_000
CALL_USD = Decimal("0.01")
"""What a call of `asked` costs, within the last cent of a cent: 1,000 tokens of output, and a few of input."""


LIVE = {"model": "gpt-live-1", "delegation": {"type": "client"}}
LIVE_USD = Decimal("0.0125")
"""What 15 seconds of a Live session cost."""

NUMBERS = itertools.count(1)


def asked(tokens: int = OUTPUT_TOKENS, **options: Any) -> dict[str, Any]:
    """Return the arguments of a call that uses all that it may: the provider is told what to say it used."""
    usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": tokens + 5}
    fault = {"usage": usage, **options.pop("fault", {})}
    return {"model": MODEL, "messages": HELLO, "extra_headers": {HEADER: json.dumps(fault)}, **options}


def limited(tokens: int = OUTPUT_TOKENS, **options: Any) -> dict[str, Any]:
    """Return the same with a limit that bounds it."""
    return asked(tokens, max_tokens=tokens, **options)


def spent(recorded: Recorded) -> Decimal:
    """Return what all calls have cost; notes of sessions are replaced by their bills."""
    bills = [call for call in recorded.calls if names.COST_USD in call and call.get(names.CALL_REVISION) != 0]
    return sum((Decimal(call[names.COST_USD]) for call in bills), Decimal(0))


def is_sent(ask: Any) -> bool:
    try:
        ask()
    except otel_costs.BudgetExceeded:
        return False
    return True


@dataclass(frozen=True)
class Step:
    """Something that an application does: `number` of calls at once, or what becomes of one of the open streams."""

    does: str
    number: int
    tokens: int
    is_inner: bool


STEPS = st.builds(
    Step,
    does=st.sampled_from(
        ["threads", "tasks", "stream", "stream", "read", "leave", "drop", "error", "cancel", "timeout"]
    ),
    number=st.integers(1, 4),
    tokens=st.sampled_from([1, 500, 1_000]),
    is_inner=st.booleans(),
)


class Application:
    """Does the steps with the clients of the real SDK, in a session and in another one within."""

    def __init__(self, base_url: str, *, bounded: bool) -> None:
        options: dict[str, Any] = {"base_url": base_url, "api_key": "sk-none", "max_retries": 0}
        self.client = openai.OpenAI(**options)
        self.runner = asyncio.Runner()
        self.tasks_client = openai.AsyncOpenAI(**options)
        self.streams: list[Any] = []
        self.arguments = limited if bounded else asked
        self.most = 0
        """How many calls were under way at once, at most."""

    def do(self, step: Step) -> None:
        inner = otel_costs.session("inner", budget_usd="0.02") if step.is_inner else contextlib.nullcontext()
        with inner:
            getattr(self, f"_{step.does}")(step)

    def close(self) -> None:
        while self.streams:
            self.streams.pop().close()
        self.client.close()
        self.runner.run(self.tasks_client.close())
        self.runner.close()

    def _ask(self, step: Step, **options: Any) -> Any:
        return self.client.chat.completions.create(**self.arguments(step.tokens, **options))

    def _threads(self, step: Step) -> None:
        self.most = max(self.most, len(self.streams) + step.number)
        with ThreadPoolExecutor(step.number) as pool:
            list(pool.map(lambda _: is_sent(lambda: self._ask(step)), range(step.number)))

    def _tasks(self, step: Step) -> None:
        self.most = max(self.most, len(self.streams) + step.number)

        async def ask() -> None:
            with contextlib.suppress(otel_costs.BudgetExceeded):
                await self.tasks_client.chat.completions.create(**self.arguments(step.tokens))

        async def all_at_once() -> None:
            await asyncio.gather(*[ask() for _ in range(step.number)])

        self.runner.run(all_at_once())

    def _cancel(self, step: Step) -> None:
        async def one() -> None:
            asking = asyncio.ensure_future(self.tasks_client.chat.completions.create(**self.arguments(step.tokens)))
            await asyncio.sleep(0)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, otel_costs.BudgetExceeded):
                await asking

        self.runner.run(one())

    def _stream(self, step: Step) -> None:
        self.most = max(self.most, len(self.streams) + 1)
        with contextlib.suppress(otel_costs.BudgetExceeded):
            self.streams.append(self._ask(step, stream=True))

    def _read(self, step: Step) -> None:
        for _ in self.streams.pop(step.number % len(self.streams)) if self.streams else ():
            pass

    def _leave(self, step: Step) -> None:
        if self.streams:
            stream = self.streams.pop(step.number % len(self.streams))
            next(stream)
            stream.close()

    def _drop(self, step: Step) -> None:
        if self.streams:
            stream = self.streams.pop(step.number % len(self.streams))
            stream.response.close()

    def _error(self, step: Step) -> None:
        with contextlib.suppress(otel_costs.BudgetExceeded, openai.InternalServerError):
            self._ask(step, fault={"status": 500})

    def _timeout(self, step: Step) -> None:
        with contextlib.suppress(otel_costs.BudgetExceeded, openai.APIConnectionError):
            self._ask(step, fault={"cut": -1})


class Live:
    """A Live session, which the service tells every 15 seconds what it has used, of an application that sends sound."""

    def __init__(self) -> None:
        found = openai_live.match(Handshake("127.0.0.1", 80, "/v1/live/sessions", "", {}))
        assert found is not None
        self.socket, self.seconds, self.is_over = found, 0.0, False
        try:
            self.socket.sent(json.dumps({"type": "session.start", "session": LIVE}))
        except otel_costs.BudgetExceeded:
            self.lose()
            return
        number = next(NUMBERS)
        session = {**LIVE, "id": f"live_{number:016x}", "expires_at": 1_795_350_600 + number}
        self.tell("session.started", session=session)

    def tell(self, kind: str, **fields: Any) -> None:
        self.socket.received(json.dumps({"type": kind, **fields}))

    def use(self, seconds: float) -> None:
        """Let it go on; what it has used is told, and the next sound is sent."""
        self.seconds += seconds
        self.tell("session.usage.updated", usage={"seconds": self.seconds})
        if not is_sent(self.sound):
            self.close(0)

    def sound(self) -> None:
        self.socket.sent(json.dumps({"type": "session.input_audio.append", "audio": "AAAA"}))

    def close(self, seconds: float) -> None:
        if not self.is_over:
            self.seconds += seconds
            self.tell("session.closed", usage={"seconds": self.seconds})
            self.lose()

    def lose(self) -> None:
        self.is_over = True
        self.socket.closed("abnormal")


class LiveApplication(Application):
    """Has Live sessions open beside its calls."""

    def __init__(self, base_url: str, *, bounded: bool) -> None:
        super().__init__(base_url, bounded=bounded)
        self.sessions: list[Live] = []

    def close(self) -> None:
        for session in self.sessions:
            session.close(0)
        super().close()

    def _open(self, step: Step) -> None:
        opened = [Live() for _ in range(step.number)]
        self.sessions += [session for session in opened if not session.is_over]

    def _use(self, step: Step) -> None:
        for session in self.sessions:
            session.use(15)
        self.sessions = [session for session in self.sessions if not session.is_over]

    def _end(self, step: Step) -> None:
        if self.sessions:
            self.sessions.pop(step.number % len(self.sessions)).close(step.tokens % 15)

    def _lose(self, step: Step) -> None:
        if self.sessions:
            self.sessions.pop(step.number % len(self.sessions)).lose()


def run(
    provider: Provider,
    recorded: Recorded,
    steps: Sequence[Step],
    budget_usd: Decimal,
    *,
    bounded: bool,
    application: type[Application] = Application,
) -> int:
    """Do the steps in a session with a budget; return how many calls were under way at most."""
    recorded.log_exporter.clear()
    estimate.forget()
    otel_costs.sessions.session.forget()
    with otel_costs.session("outer", budget_usd=budget_usd) as session:
        made = application(provider.base_url, bounded=bounded)
        try:
            for step in steps:
                made.do(step)
        finally:
            made.close()
        background.drain()
        limit = session.limit
        assert limit is not None
        assert (limit.under_way, str(limit.reserved_usd)) == (0, "0"), "every way out releases what was reserved"
        assert limit.so_far_usd == limit.spent_usd
        assert limit.spent_usd == spent(recorded)
    return made.most


@hypothesis_settings(examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEPS, max_size=12), cents=st.integers(1, 6))
@example(steps=[Step("threads", 4, 1_000, False), Step("tasks", 4, 1_000, True)], cents=1)
@example(steps=[*[Step("stream", 1, 1_000, False)] * 6, Step("read", 0, 1, False), Step("tasks", 4, 1, True)], cents=3)
def test_at_most_one_call_goes_over(provider: Provider, recorded: Recorded, steps: list[Step], cents: int) -> None:
    """Where `max_tokens` bounds the answers, whatever is under way at once and however it ends."""
    budget_usd = Decimal(cents) / 100
    run(provider, recorded, steps, budget_usd, bounded=True)
    assert spent(recorded) <= budget_usd + CALL_USD * Decimal("1.01")


@hypothesis_settings(examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEPS, max_size=12), cents=st.integers(1, 6))
def test_at_most_the_calls_under_way_go_over(
    provider: Provider, recorded: Recorded, steps: list[Step], cents: int
) -> None:
    """Where nothing bounds the answers."""
    budget_usd = Decimal(cents) / 100
    most = run(provider, recorded, steps, budget_usd, bounded=False)
    assert spent(recorded) <= budget_usd + CALL_USD * Decimal("1.01") * max(most, 1)


LIVE_STEPS = st.builds(
    Step,
    does=st.sampled_from(["open", "open", "use", "use", "end", "lose", "threads", "stream", "read"]),
    number=st.integers(1, 3),
    tokens=st.sampled_from([1, 500, 1_000]),
    is_inner=st.booleans(),
)


@pytest.mark.long
@hypothesis_settings(examples(1_000), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(LIVE_STEPS, max_size=20), cents=st.integers(1, 9))
@example(steps=[Step("open", 3, 1, False), *[Step("use", 1, 1, False)] * 9], cents=9)
@example(steps=[Step("open", 1, 1, True), Step("open", 1, 1, False), *[Step("use", 1, 1, False)] * 4], cents=4)
def test_live_sessions_stop_when_nothing_is_left(
    provider: Provider, recorded: Recorded, steps: list[Step], cents: int
) -> None:
    """Several at once, and calls beside them, pass a budget by 15 seconds of one session at most, or by one call."""
    budget_usd = Decimal(cents) / 100
    run(provider, recorded, steps, budget_usd, bounded=True, application=LiveApplication)
    assert spent(recorded) <= budget_usd + max(CALL_USD * Decimal("1.01"), LIVE_USD)


def test_fifty_at_once_do_not_pass_a_budget_of_five(recorded: Recorded, provider: Provider, driver: Driver) -> None:
    """Those that do not fit are refused before they are sent, and wait for nothing."""
    gate = threading.Event()
    provider.script(*[Fault(gate=gate, usage=USED)] * 50)
    asks = {"model": MODEL, "messages": HELLO, "max_tokens": 1_000}
    with otel_costs.session("a", budget_usd=CALL_USD * 5 + Decimal("0.009")):
        if driver.kind == "sync":
            refused = threading.Semaphore(0)

            def one(_: int) -> bool:
                sent = is_sent(lambda: driver.client.chat.completions.create(**asks))
                refused.release()
                return sent

            with ThreadPoolExecutor(50) as pool:
                found = pool.map(one, range(50))
                for _ in range(45):
                    assert refused.acquire(timeout=30)  # while the others are under way
                gate.set()
                sent = sum(found)
        else:

            async def ask() -> bool:
                try:
                    await driver.client.chat.completions.create(**asks)
                except otel_costs.BudgetExceeded:
                    return False
                return True

            async def main() -> int:
                found = []
                for number, done in enumerate(asyncio.as_completed([ask() for _ in range(50)])):
                    found.append(await done)
                    if number == 44:  # while the others are under way
                        gate.set()
                return sum(found)

            sent = driver.run(main())
    assert (sent, len(provider.requests)) == (5, 5)
    assert spent(recorded) == Decimal("0.0500625")


USED = {"prompt_tokens": 5, "completion_tokens": 1_000, "total_tokens": 1_005}


@pytest.fixture
def ask(client: openai.OpenAI) -> Any:
    return lambda **options: client.chat.completions.create(**limited(**options))


def test_a_session_that_is_opened_again_keeps_its_limit(recorded: Recorded, ask: Any) -> None:
    """Unless it is opened with another one; one without a limit gets none from somebody else."""
    with otel_costs.session("a", budget_usd="0.001"):
        ask()
    with otel_costs.session("a"), pytest.raises(otel_costs.BudgetExceeded):
        ask()
    with otel_costs.session("b"):
        ask()
    with otel_costs.session("a", budget_usd="0.03"):
        ask()
    with otel_costs.session("a") as session:
        ask()
        assert session.limit is not None
        assert session.limit.limit_usd == Decimal("0.03")
        with pytest.raises(otel_costs.BudgetExceeded):
            ask()


def test_inner_sessions_count_in_the_outer_budget(recorded: Recorded, ask: Any, caplog: Any) -> None:
    """Those without a budget of their own too, and those that are opened in a task or a thread; totals stay apart."""
    with otel_costs.session("outer", budget_usd="0.02") as outer:
        with otel_costs.session("middle"), otel_costs.session("inner", budget_usd="5") as inner:
            ask()
            assert inner.cost_usd == Decimal("0.0100125")
        with otel_costs.step("again"), otel_costs.session("inner"):
            ask()
            with pytest.raises(otel_costs.BudgetExceeded, match="session 'outer' has spent"):
                ask()
        assert outer.cost_usd == 0
    assert caplog.text.count("[COST] Session outer has spent $0.020025 of its budget of $0.020000") == 1
    with otel_costs.session("inner"):
        ask()


class TestUnpriced:
    """What is done with a call whose price is not known."""

    def test_it_is_allowed_by_default(self, recorded: Recorded, ask: Any) -> None:
        with otel_costs.session("a", budget_usd="1"):
            ask(model="made-up")
        assert recorded.call[names.COST_STATUS] == "unpriced"

    def test_it_is_refused_where_that_is_asked_for(self, recorded: Recorded, ask: Any, provider: Provider) -> None:
        """With a budget and without one, and in the sessions within."""
        for options in ({"budget_usd": "1"}, {}):
            with otel_costs.session("a", unpriced="refuse", **options), otel_costs.session("b"):
                ask()
                with pytest.raises(otel_costs.BudgetExceeded, match="refuses calls without a price: there is none of"):
                    ask(model="made-up")
        assert len(provider.requests) == 2
        with otel_costs.session("a", unpriced="allow"):
            ask(model="made-up")

    def test_a_cost_that_the_provider_says_is_one(
        self, recorded: Recorded, ask: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From the second call on: before it nobody knows."""
        monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openrouter")
        usage = {**USED, "cost": 0.5}
        for session in ("a", "b"):
            with otel_costs.session(session, unpriced="refuse" if session == "b" else "allow"):
                ask(model="made-up", fault={"usage": usage})
        assert [call[names.COST_USD] for call in recorded.calls] == ["0.5", "0.5"]

    @pytest.mark.parametrize("value", ["no", True, 1])
    def test_other_words_are_refused(self, value: object) -> None:
        with pytest.raises(ValueError, match="give 'refuse' or 'allow'"):
            otel_costs.session("a", unpriced=value)


def test_soft_budgets_warn_and_send(recorded: Recorded, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    with otel_costs.session("a", budget_usd="0.01", soft=True):
        for _ in range(3):
            ask()
    assert len(recorded.calls) == 3
    assert caplog.text.count("[COST] Session a has spent") == 2


def test_what_is_not_known_is_taken_from_the_dearest_of_its_kind(
    recorded: Recorded, driver: Driver, provider: Provider
) -> None:
    """After one that cost 1 cent, a second that is under way has 1 cent reserved, though nothing limits it."""
    client = driver.client
    with otel_costs.session("a", budget_usd="0.04") as session:
        driver.run(client.chat.completions.create(**asked(1_000)))
        streams = [driver.run(client.chat.completions.create(**asked(1), stream=True))]
        assert session.limit is not None
        assert session.limit.reserved_usd == Decimal("0.0100125")
        streams.append(driver.run(client.chat.completions.create(**asked(1), stream=True)))
        with pytest.raises(otel_costs.BudgetExceeded):
            driver.run(client.chat.completions.create(**asked(1)))
        for stream in streams:
            driver.read(stream)
        driver.run(client.chat.completions.create(**asked(1)))


def test_a_call_that_cost_more_than_it_could_makes_the_next_ones_dearer(recorded: Recorded, driver: Driver) -> None:
    """A provider that counts otherwise than its limits say is believed."""
    with otel_costs.session("a", budget_usd="1") as session:
        driver.run(driver.client.chat.completions.create(**asked(10_000), max_tokens=1_000))
        assert session.cost_usd > CALL_USD * 10
        stream = driver.run(driver.client.chat.completions.create(**asked(1), max_tokens=1_000, stream=True))
        assert session.limit is not None
        assert Decimal("0.1") < session.limit.reserved_usd < Decimal("0.101")
        driver.read(stream)


def test_a_stream_that_nobody_reads_holds_what_it_may_cost_until_it_is_gone(recorded: Recorded, driver: Driver) -> None:
    with otel_costs.session("a", budget_usd="1") as session:
        stream = driver.run(driver.client.chat.completions.create(**limited(), stream=True))
        limit = session.limit
        assert limit is not None
        assert limit.under_way == 1
        driver.run(stream.close())
        del stream
        garbage.collect()
        assert session.totals.calls == 1
        assert limit.under_way == 0


def test_a_bug_of_ours_never_stops_a_call(
    recorded: Recorded, ask: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And a budget that is spent stops it all the same."""

    def broken(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(request_size, "_output_limit", broken)
    with otel_costs.session("a", budget_usd="0.01"):
        ask()
        with pytest.raises(otel_costs.BudgetExceeded):
            ask()
    assert "otel_costs could not tell what a call may cost" in caplog.text
