"""Threads, executors and pools: who gives them work keeps its session, and nobody gets another one's."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool
from typing import Any

import openai
import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.sessions.scope import current_scope
from otel_costs.stand_in import Provider
from tests.support.recorded import Recorded

Ask = Callable[..., Any]


@pytest.fixture
def ask(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0) as client:
        yield lambda *_: client.embeddings.create(model="text-embedding-3-small", input="hi", encoding_format="float")


def where() -> str:
    """Return the session and the step of the caller."""
    scope = current_scope()
    return f"{scope.session.id if scope and scope.session else None}/{scope.step if scope else None}"


def in_thread(thread: threading.Thread) -> None:
    thread.start()
    thread.join()


class Overrides(threading.Thread):
    """Its own `run` hides that of `Thread`."""

    def __init__(self, work: Ask) -> None:
        super().__init__()
        self.work = work

    def run(self) -> None:
        self.work()


class TestThreads:
    @pytest.mark.parametrize("kind", ["target", "subclass", "instance", "timer", "started in a thread"])
    def test_a_thread_keeps_the_session_that_started_it(self, kind: str, recorded: Recorded, ask: Ask) -> None:
        """However its work is given to it; and one that is started outside a session has none."""

        def made() -> threading.Thread:
            if kind == "subclass":
                return Overrides(ask)
            if kind == "timer":
                return threading.Timer(0, ask)
            if kind == "started in a thread":
                return threading.Thread(target=lambda: in_thread(threading.Thread(target=ask)))
            thread = threading.Thread(target=ask)
            if kind == "instance":
                thread = threading.Thread()
                thread.run = ask  # type: ignore[method-assign]
            return thread

        with otel_costs.session("a"):
            inside = made()
            in_thread(inside)
        in_thread(made())
        assert [call.get(names.SESSION_ID) for call in recorded.calls] == ["a", None]
        assert ("run" in vars(inside)) is (kind == "instance")

    def test_a_thread_that_cannot_start_is_left_as_it_was(self, recorded: Recorded) -> None:
        """The application's error is its own, and so is its thread."""
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
        with otel_costs.session("a"), pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        assert "run" not in vars(thread)

    def test_our_own_threads_belong_to_nobody(self, recorded: Recorded, ask: Ask) -> None:
        """The thread that writes calls is started by the first one, and then writes those of all sessions."""
        seen: list[str] = []
        ours = threading.Thread(target=lambda: seen.append(where()), name="otel_costs")
        with otel_costs.session("a"):
            in_thread(ours)
        assert seen == ["None/None"]


class TestPools:
    def test_work_keeps_the_session_of_who_submits_it(self, recorded: Recorded, ask: Ask) -> None:
        """submit, map, run_in_executor, to_thread: with one worker for all of them, which belongs to none of them."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            with otel_costs.session("loop"):
                await loop.run_in_executor(pool, ask)
                await asyncio.to_thread(ask)
            await loop.run_in_executor(pool, ask)

        with ThreadPoolExecutor(1) as pool:
            with otel_costs.session("first"), otel_costs.step("b"):
                pool.submit(ask).result()
                assert pool.submit(where).result() == "first/b"
            pool.submit(ask).result()
            with otel_costs.session("second"):
                list(pool.map(ask, range(2)))
                assert pool.submit(where).result() == "second/None"
            asyncio.run(main())
        found = [call.get(names.SESSION_ID) for call in recorded.calls]
        assert found == ["first", None, "second", "second", "loop", "loop", None]

    def test_thread_pools_of_multiprocessing_do_as_well(self, recorded: Recorded, ask: Ask) -> None:
        """apply, map, starmap, imap: a pool that is made in one session works for others."""
        with otel_costs.session("maker"):
            pool = ThreadPool(1)
        with pool:
            pool.apply(ask)
            with otel_costs.session("user"):
                pool.apply(ask)
                pool.map(ask, [1])
                pool.starmap(ask, [(1, 2)])
                list(pool.imap(ask, [1]))
                list(pool.imap_unordered(ask, [1]))
            assert pool.apply(where) == "None/None"
        assert [call.get(names.SESSION_ID) for call in recorded.calls] == [None, *["user"] * 5]

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_process_pools_do_as_well(self, recorded: Recorded) -> None:
        """A worker is forked in the session that first needs it, and works for others and for nobody."""
        fork = get_context("fork")
        with ProcessPoolExecutor(1, mp_context=fork) as executor:
            with otel_costs.session("first", kb="x"), otel_costs.step("b"):
                assert executor.submit(where).result() == "first/b"
            assert executor.submit(where).result() == "None/None"
            with otel_costs.session("second"):
                assert executor.submit(where).result() == "second/None"
        with otel_costs.session("maker"):
            pool = fork.Pool(1)
        with pool:
            assert pool.apply(where) == "None/None"
            with otel_costs.session("user"):
                assert pool.apply(where) == "user/None"

    def test_an_error_in_a_worker_leaves_it_clean(self, recorded: Recorded) -> None:
        """The application gets its error, and the worker's next task is in nobody's session."""
        with ThreadPoolExecutor(1) as pool:
            with otel_costs.session("a"), pytest.raises(ZeroDivisionError):
                pool.submit(lambda: 1 // 0).result()
            assert pool.submit(where).result() == "None/None"

    def test_sessions_at_the_same_time_in_one_pool_do_not_mix(self, recorded: Recorded, ask: Ask) -> None:
        """Eight sessions share eight workers, round after round, and a barrier holds them together in each."""
        sessions, rounds, together = 8, 6, threading.Barrier(8)

        def work(expected: str) -> None:
            together.wait()
            assert where() == expected
            ask()

        def converse(number: int) -> None:
            with otel_costs.session(f"s{number}"):
                for turn in range(rounds):
                    with otel_costs.step(f"t{turn}"):
                        pool.submit(work, f"s{number}/t{turn}").result()

        with ThreadPoolExecutor(sessions) as pool:
            threads = [threading.Thread(target=converse, args=(number,)) for number in range(sessions)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        found = Counter((call[names.SESSION_ID], call[names.STEP]) for call in recorded.calls)
        assert found == {(f"s{number}", f"t{turn}"): 1 for number in range(sessions) for turn in range(rounds)}

    def test_what_is_submitted_outside_a_session_is_not_touched(self, recorded: Recorded) -> None:
        """Without a session there is nothing to carry, and no frame of ours is in the application's tracebacks."""
        with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError) as raised:
            pool.submit(lambda: 1 // 0).result()
        assert not [entry for entry in raised.traceback if "otel_costs" in str(entry.path)]
