"""Sessions and steps: whose call it is, wherever it is made, and what a session has cost."""

import asyncio
import contextlib
import logging
import pickle
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import copy_context
from decimal import Decimal, localcontext
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import otel_costs
from otel_costs import semconv as names
from otel_costs.sessions import totals
from otel_costs.sessions.scope import Scope, current_scope
from otel_costs.sessions.session import Session
from otel_costs.stand_in import Fault, Provider
from otel_costs.usage import Usage
from tests.support import garbage
from tests.support.program import Program
from tests.support.recorded import Recorded, instrumented

Ask = Callable[[], Any]
Run = Callable[[Callable[[Ask], Any]], None]

TWO_CENTS = Fault(
    usage={"prompt_tokens": 8_000, "completion_tokens": 0, "total_tokens": 8_000}
)  # gpt-4o: 2.50 a million


@pytest.fixture
def client(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[openai.OpenAI]:
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0) as found:
        yield found


@pytest.fixture
def ask(client: openai.OpenAI) -> Ask:
    return lambda: client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])


@pytest.fixture
def run(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a coroutine function, which is given an asynchronous `ask`, in an event loop of its own."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")

    async def whole(main: Callable[[Ask], Any]) -> None:
        async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0) as client:
            await main(
                lambda: client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
            )

    return lambda main: asyncio.run(whole(main))


def sessions_of(recorded: Recorded) -> list[str | None]:
    """Return the session of each call, in the order of the calls."""
    return [call.get(names.SESSION_ID) for call in recorded.calls]


class TestPlaces:
    def test_a_call_carries_its_session_and_step(self, recorded: Recorded, ask: Ask) -> None:
        """Session, user, scenario, tags and step are on the ledger record and on the span; outside there is nothing."""
        ask()
        with otel_costs.session("abc-123", user="user-1", scenario="customer_service", kb_id="kb_finance"):
            with otel_costs.step("analysis"):
                ask()
            ask()
        ask()
        expected = {
            "session.id": "abc-123",
            "user.id": "user-1",
            "otel_costs.session.kind": "conversation",
            "otel_costs.scenario": "customer_service",
            "otel_costs.tag.kb_id": "kb_finance",
        }
        identity = (*expected, "otel_costs.step")
        found = [{name: call[name] for name in identity if name in call} for call in recorded.calls]
        assert found == [{}, expected | {"otel_costs.step": "analysis"}, expected, {}]
        shown = [{name: (span.attributes or {})[name] for name in identity if name in (span.attributes or {})}
                 for span in recorded.spans]  # fmt: skip
        assert shown == found

    def test_the_kind_of_a_session(self, recorded: Recorded, ask: Ask) -> None:
        """A session is a conversation where nothing is said; calls outside of a session have no kind."""
        for options in ({}, {"kind": None}, {"kind": "creation"}, {"kind": ""}):
            with otel_costs.session("abc-123", **options):
                ask()
        with otel_costs.session(None, kind="creation"):
            ask()
        ask()
        assert [call.get(names.SESSION_KIND) for call in recorded.calls] == [
            "conversation", "conversation", "creation", "conversation", None, None,
        ]  # fmt: skip

    def test_the_innermost_session_and_step_count(self, recorded: Recorded, ask: Ask) -> None:
        """Nested sessions and steps are left in order, by an exception too; a session begins without a step."""
        with otel_costs.session("outer"), otel_costs.step("one"):
            with contextlib.suppress(RuntimeError), otel_costs.session("inner"):
                ask()
                with otel_costs.step("two"), otel_costs.step("three"):
                    ask()
                    raise RuntimeError
            ask()
        found = [(call[names.SESSION_ID], call.get(names.STEP)) for call in recorded.calls]
        assert found == [("inner", None), ("inner", "three"), ("outer", "one")]

    def test_a_step_needs_no_session(self, recorded: Recorded, ask: Ask) -> None:
        """Where there is no session, a call still belongs to its step."""
        with otel_costs.step("alone"):
            ask()
        assert recorded.call[names.STEP] == "alone"
        assert names.SESSION_ID not in recorded.call

    def test_a_decorated_function_runs_in_the_session(self, recorded: Recorded, ask: Ask) -> None:
        """Each call of it does, a recursive one too, and it keeps its name, its result and its error."""

        @otel_costs.session("a")
        def work(depth: int) -> int:
            """Say so."""
            ask()
            return 1 + work(depth - 1) if depth else 1

        assert (work(2), work.__name__, work.__doc__) == (3, "work", "Say so.")
        ask()
        assert sessions_of(recorded) == ["a", "a", "a", None]
        with pytest.raises(ZeroDivisionError):
            otel_costs.session("b")(lambda: 1 // 0)()
        assert current_scope() is None

    def test_coroutines_run_in_the_session(self, recorded: Recorded, run: Run) -> None:
        """With `async with` and as decorators of coroutines."""

        async def work(ask: Ask) -> None:
            await ask()

        async def main(ask: Ask) -> None:
            await otel_costs.session("decorated")(work)(ask)
            async with otel_costs.session("with"), otel_costs.step("analysis"):
                await ask()
            await ask()

        run(main)
        assert sessions_of(recorded) == ["decorated", "with", None]

    def test_a_decorated_generator_does_not_hold_its_consumer(self, recorded: Recorded, ask: Ask) -> None:
        """Its body runs in the session; what its consumer does between two items does not."""

        @otel_costs.session("a")
        def items() -> Iterator[int]:
            for number in range(2):
                ask()
                yield number

        for _ in items():
            ask()
        assert sessions_of(recorded) == ["a", None, "a", None]

    def test_a_decorated_async_generator_does_not_hold_its_consumer(self, recorded: Recorded, run: Run) -> None:
        """Nor does one that is asynchronous."""

        @otel_costs.step("inner")
        @otel_costs.session("a")
        async def items(ask: Ask) -> AsyncIterator[int]:
            for number in range(2):
                await ask()
                yield number

        async def main(ask: Ask) -> None:
            async for _ in items(ask):
                await ask()

        run(main)
        assert sessions_of(recorded) == ["a", None, "a", None]


ACTIONS = st.lists(st.sampled_from(["next", "send", "throw", "close"]), max_size=6)


def talkative() -> Generator[Any, Any, str]:
    """Yield what it is sent, survive one kind of error, and return a value."""
    said: Any = "hello"
    try:
        for _ in range(3):
            try:
                said = yield said
            except KeyError as error:
                said = error
        return "finished"
    finally:
        HEARD.append("closed")


async def talkative_async() -> AsyncIterator[Any]:
    said: Any = "hello"
    try:
        for _ in range(3):
            try:
                said = yield said
            except KeyError as error:
                said = error
    finally:
        HEARD.append("closed")


HEARD: list[str] = []


async def converse(generator: Any, actions: list[str]) -> list[object]:
    """Do the actions and return what came of each, of a generator of either kind."""
    asynchronous = hasattr(generator, "asend")
    HEARD.clear()
    seen: list[object] = []
    for action in actions:
        arguments = {"next": (None,), "send": ("word",), "throw": (KeyError("wrong"),), "close": ()}[action]
        method = {"next": "send"}.get(action, action)
        try:
            result = getattr(generator, "a" + method if asynchronous else method)(*arguments)
            seen.append(repr(await result if asynchronous else result))
        except (StopIteration, StopAsyncIteration, KeyError, TypeError) as error:
            seen.append(repr(error))
    with contextlib.suppress(StopIteration):
        await generator.aclose() if asynchronous else generator.close()
    return [*seen, *HEARD]


@given(actions=ACTIONS)
def test_a_decorated_generator_behaves_like_the_generator(actions: list[str]) -> None:
    """Whatever is sent, thrown or closed, in any order: the consumer sees no difference."""
    for function in (talkative, talkative_async):
        plain = asyncio.run(converse(function(), actions))
        assert asyncio.run(converse(otel_costs.step("a")(function)(), actions)) == plain


class TestTasks:
    def test_tasks_keep_the_session_that_they_were_started_in(self, recorded: Recorded, run: Run) -> None:
        """Sixteen at the same time, each in its own session, with an inner step: no call goes to another one's."""

        async def main(ask: Ask) -> None:
            barrier = asyncio.Barrier(16)

            async def talk(number: int) -> None:
                async with otel_costs.session(f"s{number}", user=f"u{number}"):
                    await barrier.wait()
                    await asyncio.gather(ask(), asyncio.create_task(ask()))
                    async with otel_costs.step(f"step{number}"):
                        await barrier.wait()
                        await ask()

            await asyncio.gather(*map(talk, range(16)))

        run(main)
        found = ((call["session.id"], call["user.id"], call.get(names.STEP)) for call in recorded.calls)
        numbers = range(16)
        expected = [(f"s{n}", f"u{n}", step) for n in numbers for step in (None, None, f"step{n}")]
        assert sorted(found, key=str) == sorted(expected, key=str)

    def test_a_task_goes_on_in_a_session_that_has_ended(self, recorded: Recorded, run: Run) -> None:
        """What was started for a session is its cost, after an inner step and an inner session too."""

        async def main(ask: Ask) -> None:
            ended = asyncio.Event()

            async def late() -> None:
                await ended.wait()
                await ask()
                async with otel_costs.session("inner"), otel_costs.step("b"):
                    await ask()
                await ask()

            async with otel_costs.session("a"):
                task = asyncio.create_task(late())
            ended.set()
            await ask()
            await task

        run(main)
        assert sorted(map(str, sessions_of(recorded))) == ["None", "a", "a", "inner"]

    def test_a_session_that_starts_its_successor_is_forgotten(self) -> None:
        """Tasks that each start the next one from within their session do not keep all that came before."""
        scopes: list[weakref.ref[Any]] = []

        async def talk(left: int) -> asyncio.Task[Any] | None:
            async with otel_costs.session(f"s{left}"):
                scopes.append(weakref.ref(current_scope()))
                return asyncio.create_task(talk(left - 1)) if left else None

        async def main() -> int:
            task: asyncio.Task[Any] | None = asyncio.create_task(talk(30))
            while task is not None:
                task = await task
            return sum(scope() is not None for scope in scopes)

        assert asyncio.run(main()) < 5

    def test_a_copied_context_keeps_the_session(self, recorded: Recorded, ask: Ask) -> None:
        """A callback that runs later in a copy of the context belongs where the copy was made."""
        with otel_costs.session("a"):
            context = copy_context()
        ask()
        context.run(ask)
        assert sessions_of(recorded) == [None, "a"]


class TestGeneratorsThatOpenSessions:
    """An undecorated generator shares its session with its consumer; it must not leave it behind."""

    @staticmethod
    def opening(session_id: str) -> Iterator[None]:
        with otel_costs.session(session_id):
            yield

    def test_closed_in_another_thread(self, recorded: Recorded, ask: Ask) -> None:
        """The session is over where it was opened, and the one around it is back."""
        with otel_costs.session("outer"):
            generator = self.opening("a")
            next(generator)
            ask()
            thread = threading.Thread(target=generator.close)  # type: ignore[attr-defined]
            thread.start()
            thread.join()
            ask()
        ask()
        assert sessions_of(recorded) == ["a", "outer", None]

    def test_dropped_by_an_event_loop(self, recorded: Recorded, run: Run) -> None:
        """An event loop closes an abandoned generator in a task of its own, in a copy of the context."""

        async def opening() -> AsyncIterator[None]:
            async with otel_costs.session("a"):
                yield

        async def main(ask: Ask) -> None:
            generator = opening()
            await anext(generator)
            await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
            await ask()

        run(main)
        assert sessions_of(recorded) == [None]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
    def test_closed_in_any_order(self, order: tuple[int, ...], recorded: Recorded, ask: Ask) -> None:
        """Three are open; each one that is closed is never current again, and at last none is."""
        generators = [self.opening(str(number)) for number in range(3)]
        for generator in generators:
            next(generator)
        still_open = [0, 1, 2]
        for number in order:
            generators[number].close()  # type: ignore[attr-defined]
            still_open.remove(number)
            ask()
            expected = str(still_open[-1]) if still_open else None
            assert recorded.calls[-1].get(names.SESSION_ID) == expected


class TestGeneratorsThatAreDropped:
    """The garbage collector closes them, in the middle of anything."""

    @staticmethod
    @otel_costs.session("decorated")
    def decorated() -> Iterator[None]:
        yield

    @staticmethod
    def opening() -> Iterator[None]:
        with otel_costs.session("opening"):
            yield

    @pytest.mark.parametrize("kind", ["decorated", "opening"])
    def test_collected_while_a_lock_is_held(self, kind: str) -> None:
        """An exporter's lock, which the record of the session will need: it is written later, by somebody else."""
        lock = threading.Lock()

        class Locking(InMemoryLogRecordExporter):
            def export(self, batch: Any) -> Any:
                with lock:
                    return super().export(batch)

        exporter: InMemoryLogRecordExporter = Locking()  # type: ignore[no-untyped-call]
        recorded = Recorded(log_exporter=exporter)
        with instrumented(recorded):
            cycle: list[Any] = [getattr(self, kind)()]
            cycle.append(cycle)
            next(cycle[0])
            with lock:
                del cycle
                garbage.collect()
            assert recorded.calls == []  # all is written
            assert [found[names.SESSION_ID] for found in recorded.records(names.SESSION_EVENT)] == [kind]

    def test_left_open_at_the_end_of_the_interpreter(self, tmp_path: Path) -> None:
        """Then no thread starts any more, and who waits for one waits for ever."""
        source = """
        import otel_costs
        @otel_costs.session("a")
        def items():
            yield
        items = items()
        next(items)
        """.replace("\n        ", "\n")
        with Program(source, tmp_path, {}, instrumented=False) as program:
            assert program.ended(timeout_s=20).code == 0


class Colour(StrEnum):
    RED = "red"


class Shape(Enum):
    ROUND = 3


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no name")


class TestNames:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (7, "7"),
            (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
            (b"abc", "abc"),
            (Colour.RED, "red"),
            (Shape.ROUND, "3"),
            ('"it\'s"\n\x00\t', '"it\'s"\n\x00\t'),
            ("日本語 🎈", "日本語 🎈"),
            ("\ud800", "\\ud800"),
            (Broken(), "[Broken]"),
        ],
    )
    def test_whatever_names_a_session_is_recorded_as_it_is(
        self, given: object, expected: str, recorded: Recorded
    ) -> None:
        """Ids, users, scenarios, tags and steps: of any type, with quotes, newlines and NUL."""
        with otel_costs.session(given, user=given, scenario=given, tag=given), otel_costs.step(given):
            otel_costs.record("chat", provider="openai", model="gpt-4o", usage={})
        kinds = ("session.id", "user.id", "otel_costs.scenario", "otel_costs.tag.tag", "otel_costs.step")
        assert [recorded.call[kind] for kind in kinds] == [expected] * 5

    @given(one=st.text(st.characters(), max_size=600), other=st.text(st.characters(), max_size=600))
    def test_two_sessions_stay_two(self, one: str, other: str) -> None:
        """However long or odd their ids are; and an id is at most 256 characters that UTF-8 can carry."""
        first, second = Session(one), Session(other)
        assert (first.id == second.id) == (one == other)
        assert len(first.id.encode()) <= 256 * 4

    def test_a_session_without_an_id_belongs_to_none(self, recorded: Recorded) -> None:
        """None and the empty string are no ids: two such sessions must not become one."""
        for nothing in (None, ""):
            with otel_costs.session(nothing, user="u") as session:
                otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 8_000})
                assert session.cost_usd == Decimal("0.02")
        assert [call.get("session.id", "absent") for call in recorded.calls] == ["absent", "absent"]
        assert [call["user.id"] for call in recorded.calls] == ["u", "u"]
        assert recorded.records(names.SESSION_EVENT) == []

    def test_tags_are_bounded(self, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
        """The first 32 are kept and a warning says so: more would push other attributes out of the record."""
        with otel_costs.session("a", absent=None, **{f"tag{number}": number for number in range(200)}) as session:
            assert len(session.tags) == 31
        assert "A session has 201 tags; the first 32 are kept" in caplog.text


class TestTotals:
    def test_the_end_of_a_session_says_what_it_cost(
        self, recorded: Recorded, provider: Provider, ask: Ask, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At INFO, on the logger otel_costs, when the block ends: the exact cost, and the tokens by kind."""
        caplog.set_level(logging.INFO, "otel_costs")
        usage = {"prompt_tokens": 122, "completion_tokens": 204, "total_tokens": 326}
        provider.script(Fault(usage=usage))
        with otel_costs.session("abc-123"):
            ask()
        said = [record for record in caplog.records if record.name == "otel_costs"]
        assert [(record.levelname, record.getMessage()) for record in said] == [
            ("INFO", "[COST] Session abc-123: $0.002345 (1 call; input_tokens 122, output_tokens 204)")
        ]

    @pytest.mark.parametrize(
        ("cost_usd", "shown"),
        [("1.5", "1.500000"), ("0", "0.000000"), ("0.0000000125", "0.0000000125"), ("100", "100.000000")],
    )
    def test_the_cost_is_said_exactly(
        self, cost_usd: str, shown: str, recorded: Recorded, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With six decimals, or more where there are more."""
        caplog.set_level(logging.INFO, "otel_costs")
        with otel_costs.session("a"):
            otel_costs.record("chat", provider="p", model="m", usage={}, cost_usd=cost_usd)
        assert f"[COST] Session a: ${shown} (1 call)" in caplog.text

    def test_a_session_in_which_nothing_has_a_price_has_no_cost(
        self, recorded: Recorded, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not 0: neither in its line of the log nor in its record."""
        caplog.set_level(logging.INFO, "otel_costs")
        with otel_costs.session("a"):
            otel_costs.record("speech_to_text", provider="nobody", model="m", usage={"audio_seconds": "1.5"})
        assert "[COST] Session a: unpriced (1 call, 1 without a price; audio_seconds 1.5)" in caplog.text
        (found,) = recorded.records(names.SESSION_EVENT)
        assert (found["otel_costs.session.unpriced_calls"], found.get(names.COST_USD)) == (1, None)

    def test_an_id_cannot_forge_a_line_of_the_log(self, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
        """A newline in an id is written as an escape."""
        caplog.set_level(logging.INFO, "otel_costs")
        with otel_costs.session("a\n[COST] Session b: $9"):
            pass
        assert "[COST] Session a\\n[COST] Session b: $9: no finished calls" in caplog.text

    def test_a_session_leaves_a_record_of_its_totals(self, recorded: Recorded, provider: Provider, ask: Ask) -> None:
        """When its last block ends: calls, usage, cost, and whose it was; exact, with the types of the ledger."""
        provider.script(TWO_CENTS, TWO_CENTS)
        session = otel_costs.session("abc-123", user="user-1", scenario="support", kb_id="kb")
        with session:
            with session:
                ask()
            ask()
            otel_costs.record("speech_to_text", provider="nobody", model="m", usage={"audio_seconds": "1.5"})
            assert recorded.records(names.SESSION_EVENT) == []
        (found,) = recorded.records(names.SESSION_EVENT)
        assert found.pop("timestamp") > 0  # type: ignore[attr-defined]
        assert found == {
            "event.name": "otel_costs.session",
            "otel_costs.process.id": recorded.calls[0]["otel_costs.process.id"],
            "session.id": "abc-123",
            "user.id": "user-1",
            "otel_costs.session.kind": "conversation",
            "otel_costs.scenario": "support",
            "otel_costs.tag.kb_id": "kb",
            "otel_costs.session.calls": 3,
            "otel_costs.session.unpriced_calls": 1,
            "gen_ai.usage.input_tokens": 16_000,
            "gen_ai.usage.output_tokens": 0,
            "otel_costs.usage.audio_seconds": "1.5",
            "otel_costs.cost.usd": "0.04",
            "body": None,
        }

    def test_the_cost_is_exact_and_goes_on_under_the_same_id(
        self, recorded: Recorded, provider: Provider, ask: Ask
    ) -> None:
        """A sum of decimals, whatever the application's decimal context; opened again later, the session goes on."""
        tiny = Fault(usage={"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1})
        provider.script(*[tiny] * 3, TWO_CENTS)
        with localcontext() as context:
            context.prec = 2
            with otel_costs.session("a") as session:
                for _ in range(3):
                    ask()
                assert session.cost_usd == Decimal("0.0000075")
            with otel_costs.session("b") as other:
                assert other.cost_usd == 0
            with otel_costs.session("a") as again:
                ask()
                assert again.cost_usd == session.cost_usd == Decimal("0.0200075")
                assert again.totals.calls == 4

    @given(costs=st.lists(st.decimals(0, 10**6, places=12), max_size=50))
    def test_no_digit_of_a_sum_is_lost(self, costs: list[Decimal]) -> None:
        """However many calls, and however far apart their costs."""
        found = totals.Totals()
        for cost_usd in costs:
            found.add(Usage.of({"input_tokens": 1}), cost_usd)
        assert found.cost_usd * 10**12 == sum(int(cost_usd * 10**12) for cost_usd in costs)
        assert found.calls == len(costs)

    def test_threads_that_add_at_the_same_time_lose_nothing(self) -> None:
        """Totals are added to by any thread."""
        found, barrier = totals.Totals(), threading.Barrier(8)

        def add() -> None:
            barrier.wait()
            for _ in range(500):
                found.add(Usage.of({"input_tokens": 1}), Decimal("0.001"))

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=add) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert (found.calls, found.cost_usd, found.usage.quantities) == (4000, Decimal(4), {"input_tokens": 4000})

    def test_the_memory_of_sessions_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The totals of the last ones are kept, and of those that are open however many came after."""
        monkeypatch.setattr(totals, "SESSIONS_KEPT", 10)
        totals.forget()
        opened = otel_costs.session("open")
        opened.add(None, Decimal(1))
        otel_costs.session("closed").add(None, Decimal(1))
        for number in range(50):
            otel_costs.session(f"s{number}").add(None, Decimal(1))
        garbage.collect()
        assert len(totals._recent) == 10
        assert len(totals._known) == 11
        assert otel_costs.session("open").cost_usd == 1
        assert otel_costs.session("s49").cost_usd == 1
        assert otel_costs.session("closed").cost_usd == 0

    def test_a_session_can_be_sent_to_another_process(self) -> None:
        """As a place to make calls in: who it is, with its tags and budget, and its step."""
        session = otel_costs.session("a", user="u", scenario="s", budget_usd="1.5", kb="x")
        scope = pickle.loads(pickle.dumps(Scope(session, "analysis")))
        assert (scope.attributes, scope.session.budget_usd) == (Scope(session, "analysis").attributes, Decimal("1.5"))


class TestBudgets:
    def test_a_budget_warns_once_and_then_stops_the_next_call(
        self, recorded: Recorded, provider: Provider, ask: Ask, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At 80 % a warning; with 100 % spent the provider is not even asked, and only in that session."""
        provider.script(*[TWO_CENTS] * 6)
        with otel_costs.session("a", budget_usd=Decimal("0.10")) as session:
            for calls, warnings in ((1, 0), (2, 0), (3, 0), (4, 1), (5, 1)):
                ask()
                assert session.cost_usd == Decimal("0.02") * calls
                assert caplog.text.count("[COST] Session a has spent") == warnings
            assert "[COST] Session a has spent $0.080000 of its budget of $0.100000" in caplog.text
            with pytest.raises(otel_costs.BudgetExceeded) as raised:
                ask()
        with otel_costs.session("b"):
            ask()
        found = raised.value
        assert (found.session_id, found.budget_usd, found.spent_usd) == ("a", Decimal("0.10"), Decimal("0.10"))
        assert len(provider.requests) == len(recorded.calls) == 6
        assert str(pickle.loads(pickle.dumps(found))) == str(found)
        ask()

    def test_a_budget_stops_asynchronous_calls(self, recorded: Recorded, provider: Provider, run: Run) -> None:
        """The same for async clients, and in the tasks of a session."""
        provider.script(TWO_CENTS)

        async def main(ask: Ask) -> None:
            async with otel_costs.session("a", budget_usd="0.02"):
                await ask()
                with pytest.raises(otel_costs.BudgetExceeded):
                    await asyncio.create_task(ask())

        run(main)
        assert len(provider.requests) == 1

    def test_a_raised_budget_lets_the_session_go_on(self, recorded: Recorded, provider: Provider, ask: Ask) -> None:
        """The budget is that of the block, the total that of the session."""
        provider.script(TWO_CENTS, TWO_CENTS)
        with otel_costs.session("a", budget_usd=0.01):
            ask()
            with pytest.raises(otel_costs.BudgetExceeded):
                ask()
        with otel_costs.session("a", budget_usd="0.05") as session:
            ask()
            assert session.cost_usd == Decimal("0.04")

    @pytest.mark.parametrize("budget", ["abc", float("nan"), float("inf"), -1, True, object()])
    def test_a_budget_that_is_no_amount_is_refused_at_once(self, budget: Any) -> None:
        """When the session is made, with what to write instead; not in the middle of a conversation."""
        with pytest.raises(ValueError, match=r"give dollars, such as Decimal\('0.50'\), or None for no limit"):
            otel_costs.session("a", budget_usd=budget)


def test_sessions_over_a_fork(tmp_path: Path) -> None:
    """A child goes on in its parent's session, under a budget that knows what was spent, and does not end it.

    What it opens itself counts from zero: its totals are of its own process. Imported and not used, we start no thread.
    """
    source = """
    import logging, os, sys, threading
    from decimal import Decimal
    import otel_costs
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")

    def spend():
        otel_costs.record("chat", provider="p", model="m", usage={}, cost_usd="1")

    def in_child(check):
        pid = os.fork()
        if pid == 0:
            try:
                check()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def unused():
        os._exit(sum(thread.name.startswith("otel_costs") for thread in threading.enumerate()))

    def used():
        spend()
        assert session.cost_usd == 2
        with otel_costs.session("a") as own:
            spend()
            assert own.cost_usd == 1
        session.__exit__(None, None, None)
        sys.stdout.flush()
        os._exit(0)

    in_child(unused)
    otel_costs.CostsInstrumentor().instrument()
    with otel_costs.session("a", budget_usd=5) as session:
        spend()
        in_child(used)
    """.replace("\n    ", "\n")
    with Program(source, tmp_path, {"PYTHONWARNINGS": "ignore"}, instrumented=False) as program:
        found = program.ended()
    assert found.code == 0, found.err
    assert found.out == "[COST] Session a: $1.000000 (1 call)\n" * 2


def test_uninstrumenting_forgets_the_sessions(recorded: Recorded) -> None:
    """As after a restart: the next one starts at zero."""
    with otel_costs.session("a") as session:
        otel_costs.record("chat", provider="p", model="m", usage={}, cost_usd="1")
    assert session.cost_usd == 1
    otel_costs.CostsInstrumentor().uninstrument()
    with instrumented(recorded), otel_costs.session("a") as again:
        assert again.cost_usd == 0
