"""What a request asks that changes its price, such as windows, tools and containers: each priced right, or said."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.providers.openai import hosted_tools
from otel_costs.stand_in import REMOVED, Fault, Provider
from tests.providers.conftest import HELLO, Driver, usd
from tests.support.recorded import Recorded

SPENT = {"input_tokens": 100_000, "output_tokens": 10_000, "total_tokens": 110_000}
SMALL = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
STANDARD = Decimal("0.30")
"""Of SPENT with gpt-6.1-sol."""

ASKED: Any = {"model": "gpt-6.1-sol", "input": "Hello"}


def respond(driver: Driver, **asked: Any) -> Any:
    return driver.run(driver.client.responses.create(**{**ASKED, **asked}))


def in_background(driver: Driver, window: str | None, **asked: Any) -> Any:
    options = {} if window is None else {"background_options": {"completion_window": window}}
    return respond(driver, background=True, **options, **asked)


def looks(driver: Driver, response_id: str, times: int = 3) -> None:
    for _ in range(times):
        driver.run(driver.client.responses.retrieve(response_id))


@pytest.mark.parametrize(
    ("window", "factor"),
    [("8h", "0.6"), ("2h", "0.7"), ("soonest", "1"), (None, "1")],
)
def test_windows(window: str | None, factor: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A response in the background costs less where it may take its time, whoever looks at it in this process."""
    provider.script(Fault(usage=SPENT, times=50))
    begun = in_background(driver, window)
    other = Driver(driver.kind, driver.base_url)
    looks(other, begun.id)
    other.close()
    pending, final = recorded.calls
    assert pending[names.CALL_ID] == final[names.CALL_ID]
    assert usd(final) == STANDARD * Decimal(factor)
    assert final[names.COST_STATUS] == "priced"
    assert (names.PRICE_PROCESSING in final) == (window in ("2h", "8h"))


def test_a_window_of_a_cancelled_response(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Who cancels a response pays for what it had read, at the price of its window."""
    begun = in_background(driver, "8h")
    looks(driver, begun.id, 1)
    provider.script(Fault(usage=SPENT))
    driver.run(driver.client.responses.cancel(begun.id))
    assert usd(recorded.calls[-1]) == STANDARD * Decimal("0.6")


def test_a_window_that_is_done_at_once(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An answer that has ended already is billed with it, though it does not repeat the window."""
    provider.script(Fault(fields={"status": "completed", "background": REMOVED, "usage": SPENT}))
    in_background(driver, "8h")
    assert usd(recorded.call) == STANDARD * Decimal("0.6")
    assert recorded.call[names.COST_STATUS] == "priced"


def test_an_unknown_window(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A window that has no factor leaves an estimate."""
    provider.script(Fault(usage=SPENT, times=50))
    looks(driver, in_background(driver, "24h").id)
    final = recorded.calls[-1]
    assert (final[names.COST_STATUS], usd(final)) == ("estimated", STANDARD)
    assert final[names.COST_REASON] == "processing_not_priced"


@pytest.mark.parametrize(
    ("told", "status", "factor"),
    [
        ({}, "estimated", "1"),
        ({"background_options": {"completion_window": "8h"}}, "priced", "0.6"),
        ({"background_options": {"completion_window": "soonest"}}, "priced", "1"),
        ({"service_tier": "flex"}, "priced", "0.5"),
    ],
)
def test_a_window_that_another_process_asked_for(
    told: dict[str, Any], status: str, factor: str, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Who did not see the request does not know the window, unless the answer tells it, or that it has none."""
    CostsInstrumentor().uninstrument()
    begun = in_background(driver, "8h")
    CostsInstrumentor().instrument(**recorded.providers)
    provider.script(Fault(usage=SPENT, fields=told, times=50))
    looks(driver, begun.id)
    call = recorded.call
    assert (call[names.COST_STATUS], usd(call)) == (status, STANDARD * Decimal(factor))
    if status == "estimated":
        assert call[names.COST_REASON] == "completion_window_unknown"


def test_fees_of_tools_have_no_window(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A window is cheaper by the token; a search costs what it costs."""
    provider.script(Fault(usage=SPENT, times=50))
    looks(driver, in_background(driver, "8h", input="the latest news", tools=[{"type": "web_search"}]).id)
    assert usd(recorded.calls[-1]) == STANDARD * Decimal("0.6") + Decimal("0.01")


@pytest.mark.parametrize("told", [True, False])
def test_a_tier_without_a_price(told: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A tier that has no price makes an estimate, whether the answer tells it or only the request."""
    provider.script(Fault(usage=SPENT, fields={"service_tier": "hyperfast" if told else REMOVED}))
    respond(driver, extra_body={"service_tier": "hyperfast"})
    call = recorded.call
    assert (call[names.COST_STATUS], usd(call)) == ("estimated", STANDARD)
    assert "tier_not_priced" in call[names.COST_REASON]


@pytest.mark.parametrize("answered", ["default", "priority", None])
def test_the_tier_that_answered(answered: str | None, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The tier that served is what counts; if nobody tells it, the one that was asked for is an estimate."""
    provider.script(Fault(usage=SPENT, fields={"service_tier": answered or REMOVED}))
    respond(driver, service_tier="priority")
    call = recorded.call
    assert usd(call) == STANDARD * (1 if answered == "default" else 2)
    assert call[names.COST_STATUS] == ("estimated" if answered is None else "priced")


def test_the_tier_of_a_compaction(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A compacted conversation never tells which tier served it: the one that was asked for is an estimate."""
    provider.script(Fault(usage=SPENT))
    driver.run(driver.client.responses.compact(model="gpt-6.1-sol", input="A long story.", service_tier="flex"))
    assert usd(recorded.call) == STANDARD / 2
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_REASON]) == ("estimated", "tier_not_told")


@pytest.mark.parametrize(
    ("asked", "details", "status", "usd_of_writes"),
    [
        ("12h", {"ttl_12h_tokens": 100_000, "ttl_30m_tokens": 0}, "priced", "0.50"),
        ("12h", {"ttl_12h_tokens": 0, "ttl_30m_tokens": 100_000}, "priced", "0.25"),
        ("12h", None, "estimated", "0.50"),
        ("30m", None, "priced", "0.25"),
        (None, None, "priced", "0.25"),
        ("48h", None, "estimated", "0.25"),
    ],
)
def test_how_long_a_cache_is_kept(
    asked: str | None, details: Any, status: str, usd_of_writes: str, driver: Driver, provider: Provider,
    recorded: Recorded,
) -> None:  # fmt: skip
    """Where the usage does not tell for how long something was written, what was asked for is an estimate."""
    written = {"cached_tokens": 0, "cache_write_tokens": 100_000}
    usage = {
        "input_tokens": 100_000,
        "output_tokens": 0,
        "total_tokens": 100_000,
        "input_tokens_details": {**written, **({"cache_write_tokens_details": details} if details else {})},
    }
    provider.script(Fault(usage=usage))
    respond(driver, extra_body={"prompt_cache_options": {"ttl": asked}} if asked else {})
    call = recorded.call
    assert (call[names.COST_STATUS], usd(call)) == (status, Decimal(usd_of_writes))


@pytest.mark.parametrize(
    ("mark", "told", "status", "cost"),
    [
        ({"type": "ephemeral", "ttl": "1h"}, {}, "estimated", "0.0555"),
        ({"type": "ephemeral", "ttl": "5m"}, {}, "priced", "0.0375"),
        ({"type": "ephemeral"}, {}, "priced", "0.0375"),
        (
            {"type": "ephemeral", "ttl": "1h"},
            {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 8000}},
            "priced",
            "0.0555",
        ),
    ],
)
@pytest.mark.parametrize("place", ["part", "message", "tool"])
def test_marks_of_a_cache(
    place: str, mark: Any, told: Any, status: str, cost: str, driver: Driver, provider: Provider, recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Behind a gateway, too, an hour costs more; where the usage does not tell it, the request does, as an estimate."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=anthropic")
    usage = {
        "prompt_tokens": 10_000,
        "completion_tokens": 100,
        "total_tokens": 10_100,
        "cache_creation_input_tokens": 8000,
        **told,
    }
    provider.script(Fault(usage=usage))
    marked = {"cache_control": mark}
    message: Any = {"role": "user", "content": [{"type": "text", "text": "Hi", **(marked if place == "part" else {})}]}
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
    driver.run(
        driver.client.chat.completions.create(
            model="claude-sonnet-4-5",
            messages=[{**message, **(marked if place == "message" else {})}],
            tools=[{**tool, **(marked if place == "tool" else {})}],
        )
    )
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == (status, cost)


CONTAINERS = [("1g", "0.03"), ("4g", "0.12"), ("16g", "0.48"), ("64g", "1.92"), (None, "0.03")]


def container(kind: str, memory: str | None) -> dict[str, Any]:
    own = {} if memory is None else {"memory_limit": memory}
    if kind == "shell":
        return {"type": "shell", "environment": {"type": "container_auto", **own}}
    return {"type": "code_interpreter", "container": {"type": "auto", **own}}


@pytest.mark.some(16)
@pytest.mark.parametrize(("memory", "fee"), CONTAINERS)
@pytest.mark.parametrize(("kind", "question"), [("shell", "list the files"), ("code_interpreter", "calculate it")])
@pytest.mark.parametrize("streamed", [False, True])
def test_containers_by_memory(
    streamed: bool, kind: str, question: str, memory: str | None, fee: str, driver: Driver, recorded: Recorded,
    provider: Provider,
) -> None:  # fmt: skip
    """A container of a hosted tool costs by its memory; its minutes are not told, so that this is an estimate."""
    provider.script(Fault(usage=SPENT))
    found = respond(driver, input=question, tools=[container(kind, memory)], stream=streamed)
    if streamed:
        driver.read(found)
    call = recorded.call
    assert usd(call) == STANDARD + Decimal(fee)
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.USAGE_PREFIX + "containers"] == 1
    assert names.COST_UNKNOWN not in call


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "shell"},
        {"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_mine"}},
        {"type": "local_shell"},
    ],
)
def test_a_shell_without_a_container_of_its_own(tool: Any, driver: Driver, recorded: Recorded) -> None:
    """A shell on the application's machine is free, and a container that is named was billed where it was made."""
    respond(driver, input="list the files", tools=[tool])
    assert names.USAGE_PREFIX + "containers" not in recorded.call
    assert recorded.call[names.COST_STATUS] == "priced"


@pytest.mark.parametrize(("memory", "fee"), CONTAINERS)
def test_a_container_that_is_made_by_itself(memory: str | None, fee: str, driver: Driver, recorded: Recorded) -> None:
    """It has its fee by its memory where it is made, as an estimate, and none where somebody looks at it."""
    own = {} if memory is None else {"memory_limit": memory}
    made = driver.run(driver.client.containers.create(name="c", **own))
    driver.run(driver.client.containers.retrieve(made.id))
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("estimated", fee)


@pytest.mark.parametrize(
    ("tools", "unknown"),
    [
        ([{"type": "quantum_search"}], ["quantum_search"]),
        ([container("shell", "128g")], ["128g"]),
        ([container("code_interpreter", "2t")], ["2t"]),
        ([{"type": "shell", "environment": {"type": "gpu_auto"}}], ["gpu_auto"]),
        ([{"type": "code_interpreter", "container": {"type": "notebook"}}], ["notebook"]),
        ([{"type": "namespace", "name": "n", "tools": [{"type": "oracle"}, {"type": "function"}]}], ["oracle"]),
        ([{"type": "web_search_2030_01_01"}, {"type": "mcp", "server_label": "s"}], []),
    ],
)
def test_tools_that_nobody_knows(
    tools: list[Any], unknown: list[str], driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """A tool, a container or a size that is not known makes the cost a lower bound, and is named."""
    provider.script(Fault(usage=SPENT))
    respond(driver, tools=tools)
    call = recorded.call
    assert list(call.get(names.COST_UNKNOWN, ())) == unknown
    assert call[names.COST_STATUS] == ("partial" if unknown else "priced")
    assert usd(call) == STANDARD
    assert ("unknown_option" in call.get(names.COST_REASON, "")) == bool(unknown)


def test_a_container_of_an_unknown_size(driver: Driver, recorded: Recorded) -> None:
    """It costs no less than the smallest."""
    driver.run(driver.client.containers.create(name="c", extra_body={"memory_limit": "128g"}))
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("partial", "0.03")
    assert list(call[names.COST_UNKNOWN]) == ["128g"]


@pytest.mark.parametrize("streamed", [False, True])
def test_an_item_that_nobody_knows(streamed: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A built-in tool that answers in items of a new type is said on its first day."""
    output = [{"type": "quantum_call", "id": "q_1", "status": "completed"}]
    provider.script(Fault(usage=SPENT, fields={"output": output}))
    found = respond(driver, stream=streamed)
    if streamed:
        driver.read(found)
    assert list(recorded.call[names.COST_UNKNOWN]) == ["quantum_call"]
    assert (recorded.call[names.COST_STATUS], usd(recorded.call)) == ("partial", STANDARD)


SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


@pytest.mark.parametrize(
    ("items", "searches", "status"),
    [
        ([SEARCH], 1, "estimated"),
        ([{**SEARCH, "action": None}], 1, "estimated"),
        ([{**SEARCH, "action": {"type": "other"}}], 1, "estimated"),
        ([{**SEARCH, "action": {"type": "search", "query": "x"}}], 1, "priced"),
        ([{**SEARCH, "action": {"type": "open_page"}}, {**SEARCH, "action": {"type": "find_in_page"}}], 0, "priced"),
        ([{**SEARCH, "action": {"type": "find"}}, SEARCH, {**SEARCH, "action": {"type": "search"}}], 2, "estimated"),
    ],
)
def test_searches(
    items: list[Any], searches: int, status: str, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """A search has its fee, one that does not tell what it did is taken for one, and to open a page is free."""
    provider.script(Fault(usage=SMALL, fields={"output": items, "tool_usage": REMOVED}))
    respond(driver, model="gpt-5", tools=[{"type": "web_search"}])
    call = recorded.call
    assert call.get(names.USAGE_PREFIX + "web_searches", 0) == searches
    assert usd(call) == Decimal("0.00225") + searches * Decimal("0.01")
    assert call[names.COST_STATUS] == status


@pytest.mark.parametrize(
    ("model", "tool", "fee", "status"),
    [
        ("gpt-4o", "web_search", "0.01", "priced"),
        ("gpt-4o", "web_search_2025_08_26", "0.01", "priced"),
        ("gpt-4o", "web_search_preview", "0.025", "priced"),
        ("gpt-4o", "web_search_preview_2025_03_11", "0.025", "priced"),
        ("gpt-4o", None, "0.01", "estimated"),
        ("gpt-5", "web_search_preview", "0.01", "priced"),
        ("gpt-5", None, "0.01", "priced"),
        ("o3", "web_search_preview", "0.01", "priced"),
    ],
)
def test_kinds_of_searches(
    model: str, tool: str | None, fee: str, status: str, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """The preview tool costs more with models that do not reason; where nobody names the tool, that is an estimate."""
    output = [{**SEARCH, "action": {"type": "search", "query": "x"}}]
    provider.script(Fault(usage=SMALL, fields={"output": output, "tool_usage": REMOVED}))
    respond(driver, model=model, **({"tools": [{"type": tool}]} if tool else {}))
    call = recorded.call
    lines = [
        value for key, value in call.items() if key.startswith(names.COST_LINE_PREFIX) and key.endswith("searches")
    ]
    assert lines == [fee]
    assert call[names.COST_STATUS] == status


def test_a_search_that_tells_neither_its_action_nor_its_tool(
    driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """It is counted, at the price of most, as an estimate."""
    provider.script(Fault(usage=SMALL, fields={"output": [SEARCH], "tool_usage": REMOVED, "tools": REMOVED}))
    respond(driver, model="gpt-4o")
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0.0135", "estimated")
    assert call[names.USAGE_PREFIX + "web_searches"] == 1


@pytest.mark.parametrize("usage", [None, {}])
def test_searches_without_a_usage(usage: Any, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Where the tokens are not told, the searches are priced, and the cost is a lower bound."""
    searched = {**SEARCH, "action": {"type": "search", "query": "x"}}
    provider.script(Fault(fields={"usage": usage, "output": [searched, searched], "tool_usage": REMOVED}))
    respond(driver, model="gpt-5")
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0.02", "partial")
    assert call[names.COST_REASON] == "no_usage"


def test_a_stream_that_is_cut_after_a_search(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The tokens of a stream without an end are guessed, and what it searched until then is counted."""
    tools = [{"type": "web_search"}]
    asked = {"model": "gpt-5", "input": "the latest news", "tools": tools, "stream": True}
    events = driver.read(respond(driver, **asked))
    done = next(n for n, event in enumerate(events) if event.type == "response.output_text.delta")
    provider.script(Fault(cut_events=done + 2))
    with pytest.raises(Exception):  # noqa: B017  # whatever the SDK raises of a cut connection
        driver.read(respond(driver, **asked))
    call = recorded.calls[-1]
    assert call[names.USAGE_PREFIX + "web_searches"] == 1
    assert call["gen_ai.usage.input_tokens"] > 0
    assert call[names.COST_STATUS] == "estimated"


@pytest.mark.parametrize(
    ("tool", "status", "unknown"),
    [
        ({"type": "function", "function": {"name": "f", "parameters": {}}}, "priced", []),
        ({"type": "custom", "custom": {"name": "f"}}, "priced", []),
        ({"name": "f", "parameters": {}}, "priced", []),
        ({"type": "bash_20250124", "name": "bash"}, "priced", []),
        ({"type": "web_fetch_20250910", "name": "web_fetch"}, "priced", []),
        ({"type": "web_search_20250305", "name": "web_search"}, "estimated", []),
        ({"type": "telepathy_20300101", "name": "t"}, "partial", ["telepathy"]),
        ({"google_search": {}}, "partial", ["google_search"]),
    ],
)
def test_tools_of_chats(
    tool: Any, status: str, unknown: list[str], driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Of the tools that gateways take, some are free, some cost and nobody says how often, and some nobody knows."""
    provider.script(Fault(usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}))
    driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_body={"tools": [tool]}))
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_USD]) == (status, "0.0035")
    assert list(call.get(names.COST_UNKNOWN, ())) == unknown


@pytest.mark.parametrize(("window", "status"), [("24h", "priced"), ("1h", "estimated")])
def test_windows_of_batches(window: str, status: str, driver: Driver, recorded: Recorded) -> None:
    """A batch is half the price for a day; of another window the price is not known."""
    asked: Any = {"completion_window": window, "endpoint": "/v1/chat/completions", "input_file_id": "file-1"}
    begun = driver.run(driver.client.batches.create(**asked))
    for _ in range(2):
        driver.run(driver.client.batches.retrieve(begun.id))
    final = recorded.calls[-1]
    assert (final[names.COST_STATUS], usd(final)) == (status, Decimal("0.00105"))


@pytest.mark.parametrize("method", ["supervised", "reinforcement"])
def test_methods_of_training(method: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Reinforcement is billed by the hour, which nobody tells."""
    provider.script(Fault(fields={"method": {"type": method}}, times=9))
    asked: Any = {"model": "gpt-4o-mini", "training_file": "file-1", "method": {"type": method}}
    begun = driver.run(driver.client.fine_tuning.jobs.create(**asked))
    for _ in range(5):
        driver.run(driver.client.fine_tuning.jobs.retrieve(begun.id))
    final = recorded.calls[-1]
    unknown = [] if method == "supervised" else ["reinforcement"]
    assert list(final.get(names.COST_UNKNOWN, ())) == unknown
    assert (final[names.COST_STATUS] == "partial") == bool(unknown)


def test_tools_of_who_says_the_cost(
    driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that reports the cost has its tools in it."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openrouter")
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, "cost": "0.004"}
    provider.script(Fault(usage=usage))
    tools = {"tools": [{"type": "openrouter:web_search"}], "service_tier": "hyper"}
    driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_body=tools))
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("priced", "0.004")
    assert names.COST_UNKNOWN not in recorded.call


@pytest.mark.parametrize(
    ("asked", "told", "status", "unknown"),
    [
        ({"model": "openai/gpt-4o:online"}, {}, "partial", [":online"]),
        ({"model": "openai/gpt-4o:online"}, {"cost": "0.004"}, "priced", []),
        ({"model": "openai/gpt-4o", "models": ["openai/gpt-4o:online:nitro"]}, {}, "partial", [":online"]),
        ({"model": "openai/gpt-4o:nitro"}, {}, "priced", []),
        ({"model": "openai/gpt-4o"}, {}, "priced", []),
    ],
)
@pytest.mark.parametrize("endpoint", ["chat", "completions", "responses"])
def test_a_model_that_searches_by_its_name(
    endpoint: str, asked: Any, told: Any, status: str, unknown: list[str], driver: Driver, provider: Provider,
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """OpenRouter's `:online` is a search for every request, whose price is in its own cost and in none of ours."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openrouter")
    counts = ("input_tokens", "output_tokens") if endpoint == "responses" else ("prompt_tokens", "completion_tokens")
    usage = {**dict(zip(counts, (1000, 100), strict=True)), "total_tokens": 1100, **told}
    provider.script(Fault(usage=usage, fields={"model": "openai/gpt-4o"}))
    model, more = asked["model"], {"models": asked.get("models", [])}
    client = driver.client
    ask = {
        "chat": partial(client.chat.completions.create, messages=HELLO),
        "completions": partial(client.completions.create, prompt="Hello"),
        "responses": partial(client.responses.create, input="Hello"),
    }[endpoint]
    driver.run(ask(model=model, extra_body=more))
    call = recorded.call
    assert (call[names.COST_STATUS], usd(call)) == (status, Decimal("0.004" if told else "0.0035"))
    assert list(call.get(names.COST_UNKNOWN, ())) == unknown
    assert ("unknown_option" in call.get(names.COST_REASON, "")) == bool(unknown)


def test_every_tool_and_item_of_the_sdk_is_known() -> None:
    """A release of the SDK that names a tool or an item that nobody has looked at is noticed."""
    from typing import get_args

    from openai.types.beta.agent_output_item import AgentOutputItem
    from openai.types.beta.agent_tool import AgentTool
    from openai.types.responses import ResponseOutputItem, Tool

    def types(union: Any) -> set[str]:
        classes = get_args(get_args(union)[0])
        return {kind for each in classes for kind in get_args(each.model_fields["type"].annotation)}

    tools = {hosted_tools.kind_of({"type": kind}) for kind in types(Tool) | types(AgentTool)}
    assert tools <= hosted_tools.KNOWN_TOOLS
    assert types(ResponseOutputItem) | types(AgentOutputItem) <= hosted_tools.KNOWN_ITEMS
