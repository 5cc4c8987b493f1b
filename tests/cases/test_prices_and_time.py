"""Cases 33 to 35, 38 and 40: prices, clocks, threads and processes."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

import otel_costs
from otel_costs import pricing
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.cases.conftest import Case
from tests.support.collector import Collector
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import wait_for_records

EIGHT_THOUSAND = Fault(usage={"prompt_tokens": 8_000, "completion_tokens": 0, "total_tokens": 8_000})


def price_file(*prices: str) -> str:
    """Return a price file with these prices of an input token, each with when it holds."""
    entries = "".join(
        f"  - {{provider: openai, match: {{model: gpt-4o-2024-08-06}}, {price}, source: us, checked: 2026-11-22}}\n"
        for price in prices
    )
    return f"version: '1'\ncurrency: USD\nprices:\n{entries}"


def rates(usd: str) -> str:
    return f"rates: {{input_tokens: {{usd: {usd}, per: 1000000}}}}"


@pytest.fixture
def use_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put a price file in force, as at a start."""

    def use(text: str) -> None:
        wait_for_records()  # the prices of the start are read in there
        (tmp_path / "prices.yaml").write_text(text)
        monkeypatch.setenv("OTEL_COSTS_PRICES", str(tmp_path / "prices.yaml"))
        pricing.use(None)
        pricing.warm_up()

    yield use
    pricing.use(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: [", "line 2"),
        ("", "prices"),
        ("- - -", "prices"),
        (price_file(rates('"-1"')), "rates.input_tokens.usd"),
        (price_file(rates('".nan"')), "rates.input_tokens.usd"),
        (price_file(rates(".nan")), "rates.input_tokens.usd"),
    ],
    ids=["malformed", "empty", "no prices", "negative", "NaN", "nan of YAML"],
)
def test_case_33_a_bad_price_file_is_an_error_at_the_start(
    text: str, said: str, case: Case, use_prices: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """One that names the file; the built-in prices hold, and the application runs."""
    use_prices(text)
    case.ask(EIGHT_THOUSAND)
    assert case.call[names.COST_USD] == "0.02"
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "prices.yaml" in error
    assert said in error
    assert "The built-in prices are used" in error


def test_case_33_the_last_good_prices_stay_in_force(case: Case, use_prices: Callable[[str], None]) -> None:
    """A file that is broken while the application runs changes nothing."""
    use_prices(price_file(rates('"10"')))
    case.ask(EIGHT_THOUSAND)
    Path(os.environ["OTEL_COSTS_PRICES"]).write_text("prices: [")
    with pytest.raises(pricing.PriceFileError):
        pricing.reload()
    case.ask(EIGHT_THOUSAND)
    assert [found[names.COST_USD] for found in case.calls] == ["0.08", "0.08"]


def test_case_34_a_price_that_changes_at_noon_holds_from_noon_on(
    case: Case, use_prices: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call is priced by the time it began, to the second, whenever it is written."""
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    before, after = rates('"10"'), rates('"20"')
    use_prices(price_file(f"to: {noon:%Y-%m-%dT%H:%M:%SZ}, {before}", f"from: {noon:%Y-%m-%dT%H:%M:%SZ}, {after}"))
    for seconds in (-1, 0):
        now_ns = (int(noon.timestamp()) + seconds) * 10**9
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda now_ns=now_ns: now_ns)
            case.ask(EIGHT_THOUSAND)
    assert [found[names.COST_USD] for found in case.calls] == ["0.08", "0.16"]


def test_case_35_a_clock_that_goes_backwards_does_not_shorten_a_call(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back while the provider is asked: the duration is measured, and the end is not before the start."""
    gate, real = threading.Event(), time.time_ns
    before_ns = real()
    case.provider.script(Fault(gate=gate))
    thread = threading.Thread(target=case.ask)
    thread.start()
    while not case.provider.requests:
        time.sleep(0)
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    gate.set()
    thread.join()
    call = case.call
    assert 0 <= call[names.DURATION_S] < 3600
    assert before_ns <= call[names.START_TIME_UNIX_NANO] <= call["time_ns"]


def test_case_38_a_pool_of_threads_never_gives_a_call_to_another_session(case: Case) -> None:
    """Two sessions and a caller without one share a single worker, in turns."""
    with ThreadPoolExecutor(1) as pool:
        for number in range(9):
            if number % 3 == 2:
                pool.submit(case.ask).result()
                continue
            with otel_costs.session(f"s{number % 3}"):
                pool.submit(case.ask).result()
    assert Counter(found.get(names.SESSION_ID) for found in case.calls) == {"s0": 3, "s1": 3, None: 3}


@pytest.mark.long
def test_case_40_the_same_seed_in_two_processes_counts_both(provider: Provider, tmp_path: Path) -> None:
    """The SDK's span ids come from `random` and are the same in both; calls are told apart all the same."""
    source = "import random; random.seed(42)\n" + CLIENT + "ask(); ask()"
    with Collector() as collector:
        with ExitStack() as running:
            programs = []
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                program = Program(source, tmp_path / name, environ(provider, collector))
                programs.append(running.enter_context(program))
            assert [program.ended().code for program in programs] == [0, 0]
        calls, spans = collector.calls(), collector.spans
    assert len(spans) == 4
    assert len({found[names.CALL_ID] for found in calls}) == len(calls) == 4
    assert len({found[names.PROCESS_ID] for found in calls}) == 2
