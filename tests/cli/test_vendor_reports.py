"""What each provider's module reads over HTTP, of answers in the shapes that are documented."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import deepgram
import pytest
from deepgram.environment import DeepgramClientEnvironment
from elevenlabs import client as elevenlabs

from otel_costs.cli.reconciliation import pages
from otel_costs.cli.reconciliation.reported import ProviderError, Question, Reported
from otel_costs.cli.reconciliation.vendors import MODULES, Vendor
from tests.support.billing import KEY, Answer, Asked, Refusal, Reports, running

DAY = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = Question(DAY, DAY + timedelta(days=2))
FIRST, SECOND = date(2026, 9, 1), date(2026, 9, 2)
HEADERS = {
    "anthropic": ("x-api-key", KEY),
    "azure": ("authorization", f"Bearer {KEY}"),
    "elevenlabs": ("xi-api-key", KEY),
    "deepgram": ("authorization", f"Token {KEY}"),
}
"""Those that are asked over HTTP, and how their key is sent; OpenAI has a stand-in and tests of its own."""

Run = Callable[[str, Answer], tuple[Reports, Callable[..., Reported]]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Return what runs the reports of a provider, and what asks them."""
    with ExitStack() as stack:

        def start(name: str, answer: Answer) -> tuple[Reports, Callable[..., Reported]]:
            reports = stack.enter_context(running(answer, *HEADERS[name]))
            vendor = Vendor(name)
            source = replace(vendor.source(reports.url, KEY), sleep=lambda _: None)
            return reports, lambda question=DAYS: vendor.asked(source, question)

        yield start


def test_anthropic(run: Run) -> None:
    """Uncached, cached and written tokens are the input; cents are dollars; pages are followed."""

    def bucket(day: str, *results: dict[str, Any]) -> dict[str, Any]:
        return {"starting_at": f"{day}T00:00:00Z", "ending_at": "2026-09-03T00:00:00Z", "results": [*results]}

    used = {
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 300},
        "server_tool_use": {"web_search_requests": 10}, "model": "claude-opus-5", "service_tier": "standard",
    }  # fmt: skip
    cost = {"amount": "123.78912", "currency": "USD", "model": "claude-opus-5", "cost_type": "tokens",
            "workspace_id": None, "token_type": "uncached_input_tokens", "description": "Input Tokens"}  # fmt: skip
    search = {**cost, "amount": "10", "model": None, "cost_type": "web_search", "description": "Web Search Usage"}

    def answer(asked: Asked) -> Any:
        assert asked.headers["anthropic-version"] == "2023-06-01"
        assert asked.query["starting_at"] == ["2026-09-01T00:00:00Z"]
        assert asked.query["ending_at"] == ["2026-09-03T00:00:00Z"]
        if asked.path == "/v1/organizations/usage_report/messages":
            assert asked.query["group_by[]"] == ["model"]
            if "page" not in asked.query:
                return {"data": [bucket("2026-09-01", used)], "has_more": True, "next_page": "page_2"}
            return {"data": [bucket("2026-09-02", {**used, "cache_creation": None})], "has_more": False}
        assert asked.path == "/v1/organizations/cost_report"
        return {"data": [bucket("2026-09-01", cost, cost, search)], "has_more": False, "next_page": None}

    reports, ask = run("anthropic", answer)
    found = ask()
    assert found.usage == {
        (FIRST, "claude-opus-5"): {
            "input_tokens": 3000, "cache_read_tokens": 200, "cache_write_tokens": 1300, "output_tokens": 500,
            "web_searches": 10,
        },
        (SECOND, "claude-opus-5"): {
            "input_tokens": 1700, "cache_read_tokens": 200, "cache_write_tokens": 0, "output_tokens": 500,
            "web_searches": 10,
        },
    }  # fmt: skip
    assert found.costs == {
        (FIRST, "claude-opus-5"): Decimal("2.4757824"), (FIRST, "Web Search Usage"): Decimal("0.1"),
    }  # fmt: skip
    assert len(reports.asked) == 3
    workspaces = ask(replace(DAYS, projects=["wrkspc_1"]))
    assert workspaces.costs == {}
    assert reports.asked[-2].query["workspace_ids[]"] == ["wrkspc_1"]
    assert not ask(replace(DAYS, api_keys=["key_1"])).has_costs


def detail(date_: str, meter: str, quantity: str, unit: str, cost: str, **more: Any) -> dict[str, Any]:
    """Return a line of Azure's usage details as customer agreements have it."""
    return {
        "kind": "modern",
        "properties": {
            "date": f"{date_}T00:00:00.0000000Z", "meterName": meter, "meterCategory": "Foundry Models",
            "consumedService": "Microsoft.CognitiveServices", "quantity": float(quantity), "unitOfMeasure": unit,
            "costInBillingCurrency": float(cost), "billingCurrencyCode": "USD", "chargeType": "Usage", **more,
        },
    }  # fmt: skip


def test_azure(run: Run) -> None:
    """Thousands and millions are tokens; other services and taxes are left out; the next page is a link."""
    first = [
        detail("2026-09-01", "gpt 4o 0806 Inp glbl Tokens", "1.5", "1K", "0.00375"),
        detail("2026-09-01", "gpt 4o 0806 cached Inp glbl Tokens", "0.5", "1K", "0.000625"),
        detail("2026-09-01", "gpt-4o-0806-Outp-glbl Tokens", "0.001", "1M", "0.01"),
        detail("2026-09-01", "D2s v5", "24", "1 Hour", "5", consumedService="Microsoft.Compute", meterCategory="VM"),
        detail("2026-09-01", "Tax", "1", "1", "5", chargeType="Tax"),
    ]
    second = [
        detail("2026-09-02", "S1 Speech To Text", "0.5", "1 Hour", "0.5"),
        detail("2026-09-02", "S1 Neural Text To Speech Characters", "0.002", "1M", "0.03"),
        detail("2026-09-02", "gpt 4o 0806 Inp glbl Tokens", "1", "1K", "9", billingCurrencyCode="EUR"),
        detail("2026-09-02", "gpt 4o 0806 Inp glbl Tokens", "0", "1K", "-0.5", chargeType="Refund"),
    ]
    url: list[str] = []

    def answer(asked: Asked) -> Any:
        assert asked.path == "/subscriptions/abc/providers/Microsoft.Consumption/usageDetails"
        if "$skiptoken" not in asked.query:
            assert asked.query["metric"] == ["actualcost"]
            return {"value": first, "nextLink": f"{url[0]}{asked.path}?$skiptoken=2"}
        return {"value": second}

    reports, ask = run("azure", answer)
    url.append(reports.url)
    found = ask(replace(DAYS, projects=["/subscriptions/abc"]))
    assert found.usage == {
        (FIRST, "gpt 4o 0806"): {"input_tokens": 2000, "cache_read_tokens": 500, "output_tokens": 1000},
        (SECOND, "speech/standard"): {"audio_seconds": 1800},
        (SECOND, "speech/neural"): {"input_characters": 2000},
        (SECOND, "gpt 4o 0806"): {"input_tokens": 1000},
    }
    assert found.costs[FIRST, "gpt 4o 0806"] == Decimal("0.014375")
    assert sum(found.costs.values()) == Decimal("0.544375")
    assert found.foreign == {(SECOND, "EUR"): Decimal(9)}
    assert found.credits == {SECOND: Decimal("-0.5")}
    in_dollars = ask(replace(DAYS, projects=["subscriptions/abc"], rates={"EUR": Decimal("1.1")}))
    assert in_dollars.costs[SECOND, "gpt 4o 0806"] == Decimal("9.9")
    assert in_dollars.foreign == {}


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/x", "http://127.0.0.1:1/x", "//evil.example/x", "/x", "file:///etc/passwd", "https://[", 7],
)
def test_a_page_elsewhere_is_not_asked(run: Run, link: object) -> None:
    """The key goes to the host that it was given for, and to no other that an answer names."""
    reports, ask = run("azure", lambda _: {"value": [], "nextLink": link})
    with pytest.raises(ProviderError, match="another host"):
        ask(replace(DAYS, projects=["subscriptions/abc"]))
    assert len(reports.asked) == 1


def test_links_without_an_end(run: Run) -> None:
    """A provider that names the same page again and again is left."""
    url: list[str] = []
    reports, ask = run("azure", lambda _: {"value": [], "nextLink": f"{url[0]}/again"})
    url.append(reports.url)
    with pytest.raises(ProviderError, match="have no end"):
        ask(replace(DAYS, projects=["subscriptions/abc"]))
    assert len(reports.asked) == 2


def test_a_page_that_comes_twice(run: Run) -> None:
    """Under another address, it is not billed twice."""
    url: list[str] = []
    rows = [detail("2026-09-01", "gpt 4o Inp glbl Tokens", "1", "1K", "1")]
    reports, ask = run(
        "azure", lambda asked: {"value": rows, "nextLink": f"{url[0]}/page{len(asked.path)}{'x' * len(asked.path)}"}
    )
    url.append(reports.url)
    with pytest.raises(ProviderError, match="the same page"):
        ask(replace(DAYS, projects=["subscriptions/abc"]))


def test_azure_needs_a_scope(run: Run) -> None:
    """Costs are somebody's; what is no path is not asked for."""
    reports, ask = run("azure", lambda _: {"value": []})
    for projects, said in (([], "--project subscriptions/ID"), (["../x"], "a path"), (["a?b"], "a path")):
        with pytest.raises(ProviderError, match=said):
            ask(replace(DAYS, projects=projects))
    assert reports.asked == []


@pytest.mark.parametrize(
    "projects",
    [
        ["subscriptions/abc"] * 2,
        ["/subscriptions/abc/", "subscriptions/ABC"],
        ["subscriptions/abc", "/subscriptions/abc"],
    ],
)
def test_a_scope_that_is_given_twice(run: Run, projects: list[str]) -> None:
    """Is asked once, however it is written."""
    reports, ask = run("azure", lambda _: {"value": [detail("2026-09-01", "gpt 4o Inp glbl Tokens", "1", "1K", "1")]})
    assert sum(ask(replace(DAYS, projects=projects)).costs.values()) == 1
    assert len(reports.asked) == 1


def test_a_scope_within_another(run: Run) -> None:
    """Would be billed twice."""
    reports, ask = run("azure", lambda _: {"value": []})
    for inner in ("subscriptions/abc/resourceGroups/x", "/Subscriptions/ABC/resourceGroups/x"):
        with pytest.raises(ProviderError, match="give one of both"):
            ask(replace(DAYS, projects=[inner, "subscriptions/abc"]))
    assert reports.asked == []
    ask(replace(DAYS, projects=["subscriptions/abc", "subscriptions/abcd/resourceGroups/x"]))


def test_elevenlabs(run: Run) -> None:
    """Credits and characters by day and model, from two answers; money is not told."""
    days = [int(DAY.timestamp()) * 1000, int((DAY + timedelta(days=1)).timestamp()) * 1000]

    def answer(asked: Asked) -> Any:
        assert asked.path == "/v1/usage/character-stats"
        assert asked.query["start_unix"] == [str(days[0])]
        assert asked.query["end_unix"] == [str(days[1] + 86_400_000 - 1)]
        assert (asked.query["breakdown_type"], asked.query["aggregation_interval"]) == (["model"], ["day"])
        usage = {
            "credits": {"Eleven Flash v2.5": [10.5, 0], "Eleven Multilingual v2": [0, 7]},
            "tts_characters": {"Eleven Flash v2.5": [21, 0], "Eleven Multilingual v2": [0, 7]},
        }
        return {"time": days, "usage": usage[asked.query["metric"][0]]}

    _, ask = run("elevenlabs", answer)
    found = ask()
    assert found.usage == {
        (FIRST, "Eleven Flash v2.5"): {"credits": Decimal("10.5"), "input_characters": 21},
        (SECOND, "Eleven Multilingual v2"): {"credits": 7, "input_characters": 7},
    }
    assert not found.has_costs


def test_deepgram(run: Run) -> None:
    """Hours are seconds; line items name a model; of all projects that the key may see."""

    def answer(asked: Asked) -> Any:
        if asked.path == "/v1/projects":
            return {"projects": [{"project_id": "p-1", "name": "a"}, {"project_id": "p-2", "name": "b"}]}
        assert (asked.query["start"], asked.query["end"]) == (["2026-09-01"], ["2026-09-02"])
        day = {"start": "2026-09-01", "end": "2026-09-02"}
        resolution = {"units": "day", "amount": 1}
        if asked.path.endswith("/usage/breakdown"):
            assert asked.query["grouping"] == ["models"]
            heard = {"hours": 0.5, "total_hours": 0.5, "agent_hours": 0, "tokens_in": 0, "tokens_out": 0,
                     "tts_characters": 0, "requests": 3, "grouping": {**day, "models": ["nova-3-general"]}}  # fmt: skip
            said = {**heard, "hours": 0, "tts_characters": 40, "grouping": {**day, "models": ["aura-2"]}}
            return {"start": "2026-09-01", "end": "2026-09-02", "resolution": resolution, "results": [heard, said]}
        assert asked.query["grouping"] == ["line_item"]
        results = [{"dollars": 0.25, "grouping": {**day, "line_item": "streaming::nova-3"}}]
        return {"start": "2026-09-01", "end": "2026-09-02", "resolution": resolution, "results": results}

    reports, ask = run("deepgram", answer)
    found = ask()
    assert found.usage == {
        (FIRST, "nova-3"): {"requests": 6, "audio_seconds": 3600},
        (FIRST, "aura-2"): {"requests": 6, "input_characters": 80},
    }
    assert found.costs == {(FIRST, "nova-3"): Decimal("0.5")}
    reports.asked.clear()
    ask(replace(DAYS, projects=["p-1"]))
    assert [one.path for one in reports.asked] == [
        "/v1/projects/p-1/usage/breakdown",
        "/v1/projects/p-1/billing/breakdown",
    ]
    ask(replace(DAYS, projects=["p-1", "p-1"]))
    assert len(reports.asked) == 4
    with pytest.raises(ProviderError, match="letters, digits"):
        ask(replace(DAYS, projects=["../../x"]))


def test_what_deepgrams_own_client_reads(run: Run) -> None:
    """The stand-in speaks as Deepgram's own client understands it, and is asked as that client asks."""
    day = {"start": "2026-09-01", "end": "2026-09-01"}
    used = {"hours": 0.5, "total_hours": 0.5, "agent_hours": 0, "tokens_in": 0, "tokens_out": 0, "tts_characters": 7,
            "requests": 3, "grouping": {**day, "models": ["nova-3", None]}}  # fmt: skip
    billed = {"dollars": 0.25, "grouping": {"line_item": "streaming::nova-3"}}
    whole = {**day, "resolution": {"units": "day", "amount": 1}}
    reports, ask = run("deepgram", lambda asked: {**whole, "results": [used if "/usage/" in asked.path else billed]})
    found = ask(Question(DAY, DAY + timedelta(days=1), ["p-1"]))
    ours = [(one.path, one.query) for one in reports.asked]
    reports.asked.clear()
    environment = DeepgramClientEnvironment(**dict.fromkeys(("base", "production", "agent", "agent_rest"), reports.url))
    manage = deepgram.DeepgramClient(api_key=KEY, environment=environment).manage.v1.projects
    usage = manage.usage.breakdown.get("p-1", start="2026-09-01", end="2026-09-01", grouping="models")
    billing = manage.billing.breakdown.list("p-1", start="2026-09-01", end="2026-09-01", grouping="line_item")
    assert [(one.path, one.query) for one in reports.asked] == ours
    (result,), (cost,) = usage.results, billing.results
    assert found.usage == {
        (FIRST, "nova-3"): {
            "requests": result.requests,
            "audio_seconds": result.hours * 3600,
            "input_characters": result.tts_characters,
        },
    }  # fmt: skip
    assert found.costs == {(FIRST, "nova-3"): Decimal(str(cost.dollars))}


def test_what_elevenlabs_own_client_reads(run: Run) -> None:
    """The stand-in speaks as ElevenLabs' own client understands it, and is asked as that client asks."""
    at = int(DAY.timestamp()) * 1000
    reports, ask = run("elevenlabs", lambda _: {"time": [at], "usage": {"Eleven Flash v2.5": [10.5]}})
    found = ask(Question(DAY, DAY + timedelta(days=1)))
    ours = [(one.path, one.query) for one in reports.asked]
    reports.asked.clear()
    client = elevenlabs.ElevenLabs(api_key=KEY, base_url=reports.url)
    asked: dict[str, Any] = {
        "start_unix": at, "end_unix": at + 86_400_000 - 1, "include_workspace_metrics": True, "breakdown_type": "model",
        "aggregation_interval": "day",
    }  # fmt: skip
    credits_, characters = (client.usage.get(**asked, metric=metric) for metric in ("credits", "tts_characters"))
    assert [(one.path, one.query) for one in reports.asked] == ours
    assert found.usage == {
        (FIRST, "Eleven Flash v2.5"): {
            "credits": Decimal(str(credits_.usage["Eleven Flash v2.5"][0])),
            "input_characters": Decimal(str(characters.usage["Eleven Flash v2.5"][0])),
        },
    }  # fmt: skip


def test_days_that_are_told_together(run: Run) -> None:
    """A sum over several days is no day's: it is an error, not a day without calls."""
    whole = {"start": "2026-09-01", "end": "2026-09-08", "line_item": "x"}
    _, ask = run("deepgram", lambda _: {"results": [{"dollars": 1, "grouping": whole}]})
    with pytest.raises(ProviderError, match="results of another shape"):
        ask(replace(DAYS, projects=["p"]))


EMPTY = {
    "anthropic": {"data": [], "has_more": False},
    "azure": {"value": []},
    "elevenlabs": {"time": [], "usage": {}},
    "deepgram": {"results": [], "projects": []},
}
PROJECTS = replace(DAYS, projects=["subscriptions"])


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("status", [401, 403, 404, 400, 429, 500])
def test_refusals(run: Run, name: str, status: int) -> None:
    """Each is told with what to do, without the key; a limit and an error of a moment are tried five times."""
    reports, ask = run(name, lambda _: EMPTY[name])
    said = f'{{"error": {{"message": "refused \\u001b {KEY}"}}}}'.encode()
    reports.refusals = [Refusal(status, said, {"Retry-After": "0"})] * 9
    with pytest.raises(ProviderError) as told:
        ask(PROJECTS)
    assert KEY not in str(told.value)
    assert {
        401: MODULES[name].TERMS.env_key, 403: MODULES[name].TERMS.env_key, 404: MODULES[name].TERMS.base_url,
        400: "refused", 429: "some minutes", 500: "try again later",
    }[status] in str(told.value)  # fmt: skip
    assert len(reports.asked) == (5 if status in (429, 500) else 1)


@pytest.mark.parametrize("name", HEADERS)
def test_a_moment_of_refusal_is_waited_for(run: Run, name: str) -> None:
    """As long as is said, and then the report is read."""
    reports, ask = run(name, lambda _: EMPTY[name])
    reports.refusals = [Refusal(429, headers={"Retry-After": "1"}), Refusal(503)]
    assert ask(PROJECTS).usage == {}
    assert len(reports.asked) > 2


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{", b'{"data": 5, "value": 5, "usage": 5, "results": 5}', b'{"data": NaN}', b"[" * 100_000],
)
def test_what_is_no_report(run: Run, name: str, body: bytes) -> None:
    """Something else is told as such, not taken for nothing."""
    reports, ask = run(name, lambda _: EMPTY[name])
    reports.refusals = [Refusal(200, body)]
    with pytest.raises(ProviderError, match="no report"):
        ask(PROJECTS)


BROKEN: list[tuple[str, Any]] = [
    ("anthropic", {"data": [7]}),
    ("anthropic", {"data": [{"starting_at": "yesterday", "results": [{"output_tokens": 1}]}]}),
    ("anthropic", {"data": [{"starting_at": "2026-09-01T00:00:00Z", "results": [{"output_tokens": "many"}]}]}),
    ("anthropic", {"data": [{"starting_at": "2026-09-01T00:00:00Z", "results": [{"amount": "1e999999"}]}]}),
    ("azure", {"value": [{"properties": {"consumedService": "Microsoft.CognitiveServices"}}]}),
    ("azure", {"value": [detail("2026-13-01", "gpt 4o Inp", "1", "1K", "1")]}),
    ("azure", {"value": [{"properties": None}]}),
    ("elevenlabs", {"time": [1], "usage": {"All": [1, 2]}}),
    ("elevenlabs", {"time": ["x"], "usage": {"All": [1]}}),
    ("elevenlabs", {"time": [10**30], "usage": {"All": [1]}}),
    ("deepgram", {"results": [{"dollars": 1}]}),
    ("deepgram", {"results": [{"dollars": "a", "grouping": {"start": "2026-09-01", "end": "2026-09-01"}}]}),
]


@pytest.mark.parametrize(("name", "body"), BROKEN)
def test_results_of_another_shape(run: Run, name: str, body: Any) -> None:
    """A value that cannot be read is an error, not nothing."""
    _, ask = run(name, lambda _: body)
    with pytest.raises(ProviderError, match="results of another shape"):
        ask(PROJECTS)


def test_pauses_until_a_time(run: Run) -> None:
    """A time to come back at is as good as seconds, as are the headers of Azure; a minute at most."""
    slept: list[float] = []
    reports, _ = run("azure", lambda _: EMPTY["azure"])
    source = replace(Vendor("azure").source(reports.url, KEY), sleep=slept.append)
    reports.refusals = [
        Refusal(429, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        Refusal(429, headers={"x-ms-ratelimit-microsoft.consumption-tenant-retry-after": "9"}),
        Refusal(429, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}),
        Refusal(429, headers={"Retry-After": "soon"}),
    ]
    Vendor("azure").asked(source, PROJECTS)
    assert slept == [60, 9, 0, 8]


def test_an_answer_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not end is not read to its end."""
    monkeypatch.setattr(pages, "MOST_BYTES", 1000)
    _, ask = run("anthropic", lambda _: {"data": [], "x": "y" * 5000})
    with pytest.raises(ProviderError, match="more than can be read"):
        ask()


@pytest.mark.parametrize("name", HEADERS)
def test_keys_go_over_https_alone(name: str) -> None:
    """To a host that is not this machine; and the key is in no representation."""
    with pytest.raises(ProviderError, match="https alone"):
        Vendor(name).source("http://vendor.example", KEY)
    source = Vendor(name).source(None, KEY)
    assert source.base_url.startswith("https://")
    assert KEY not in repr(source)
