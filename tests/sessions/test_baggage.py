"""Session and user between processes: believed and sent where the configuration says so, and never to a provider."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

import otel_costs
from otel_costs import semconv as names
from otel_costs.sessions import baggage as ours
from otel_costs.stand_in import Provider
from tests.support.recorded import Recorded, instrumented

try:
    import httpx2 as http  # openai 3
except ImportError:  # pragma: no cover
    import httpx as http  # type: ignore[import-not-found, no-redef, unused-ignore]  # openai 1 and 2

Instrument = Callable[[str], Recorded]


def outgoing() -> dict[str, str]:
    """Return the headers that an HTTP instrumentation would add to a request here."""
    headers: dict[str, str] = {}
    W3CBaggagePropagator().inject(headers)
    return headers


def propagating(request: http.Request) -> None:
    """What an instrumentation of the HTTP client does to each request."""
    request.headers.update(outgoing())


async def propagating_async(request: http.Request) -> None:
    propagating(request)


@pytest.fixture(autouse=True)
def clean_context() -> Iterator[None]:
    """Baggage stays in the context of a test as it does in that of a task."""
    token = context.attach(context.Context())
    yield
    context.detach(token)


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instrument]:
    """Instrument in a mode of baggage."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    recorded = Recorded()

    def start(mode: str) -> Recorded:
        monkeypatch.setenv("OTEL_COSTS_BAGGAGE", mode)
        instrumentation.__enter__()
        return recorded

    instrumentation = instrumented(recorded)
    yield start
    instrumentation.__exit__()
    monkeypatch.undo()
    ours.configure()


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with (
        http.Client(event_hooks={"request": [propagating]}) as sending,
        openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0, http_client=sending) as found,
    ):
        yield found


def ask(client: openai.OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], **options)


def receive(**values: str) -> None:
    """Have these values in the baggage that came with a request."""
    found = context.get_current()
    for name, value in values.items():
        found = baggage.set_baggage(name.replace("_", "."), value, found)
    context.attach(found)


THEIRS = {"session_id": "theirs", "user_id": "mallory", "tenant": "acme"}


@pytest.mark.parametrize("mode", ["none", "out", ""])
def test_baggage_from_outside_is_not_believed(mode: str, instrument: Instrument, client: openai.OpenAI) -> None:
    """Whoever can send a header must not decide whose bill a call goes on."""
    recorded = instrument(mode)
    receive(**THEIRS)
    ask(client)
    assert not recorded.call.keys() & {names.SESSION_ID, names.USER_ID}


@pytest.mark.parametrize("mode", ["in", "both", " IN "])
def test_baggage_is_believed_where_it_is_allowed(mode: str, instrument: Instrument, client: openai.OpenAI) -> None:
    """The session and the user of the process that called this one; an open session here comes first."""
    recorded = instrument(mode)
    receive(**THEIRS)
    ask(client)
    with otel_costs.session("mine"):
        ask(client)
    with otel_costs.session("mine", user="me"):
        ask(client)
    found = [(call[names.SESSION_ID], call.get(names.USER_ID)) for call in recorded.calls]
    assert found == [("theirs", "mallory"), ("mine", None), ("mine", "me")]


def test_odd_baggage_does_no_harm(instrument: Instrument, client: openai.OpenAI) -> None:
    """What is believed is cleaned as an id of the application's own is, and what is no text is ignored."""
    recorded = instrument("in")
    receive(session_id="x" * 4096)
    context.attach(baggage.set_baggage("user.id", object()))
    ask(client)
    assert len(recorded.call[names.SESSION_ID]) == 256
    assert names.USER_ID not in recorded.call


@pytest.mark.parametrize("mode", ["none", "in"])
def test_nothing_goes_out_unless_it_is_asked_for(mode: str, instrument: Instrument) -> None:
    """Ids of users are nobody else's business."""
    instrument(mode)
    with otel_costs.session("mine", user="me"):
        assert outgoing() == {}


@pytest.mark.parametrize("mode", ["out", "both"])
def test_the_session_goes_to_services_of_ones_own(mode: str, instrument: Instrument) -> None:
    """While it is open, the innermost one, in steps and threads and tasks; what was there before is back afterwards."""
    instrument(mode)
    receive(**THEIRS)
    before = outgoing()
    assert before == {"baggage": "session.id=theirs,user.id=mallory,tenant=acme"}
    with otel_costs.session("outer", user="me"):
        with otel_costs.session("inner"), otel_costs.step("b"):
            assert outgoing() == {"baggage": "session.id=inner,tenant=acme"}
        assert sorted(outgoing()["baggage"].split(",")) == ["session.id=outer", "tenant=acme", "user.id=me"]
        with ThreadPoolExecutor(1) as pool:
            assert sorted(pool.submit(outgoing).result()["baggage"].split(",")) == ["session.id=outer", "user.id=me"]
            assert asyncio.run(asyncio.to_thread(outgoing)) == outgoing()
    assert sorted(outgoing()["baggage"].split(",")) == sorted(before["baggage"].split(","))


def test_a_decorated_generator_does_not_leave_its_baggage(instrument: Instrument) -> None:
    """Its consumer has what it had, while the generator waits and when it is closed."""
    instrument("out")

    @otel_costs.session("a")
    def items() -> Iterator[dict[str, str]]:
        yield outgoing()
        yield outgoing()

    generator = items()
    assert (next(generator), outgoing()) == ({"baggage": "session.id=a"}, {})
    generator.close()  # type: ignore[attr-defined]
    assert outgoing() == {}


@pytest.mark.parametrize("mode", ["none", "in", "out", "both"])
def test_ours_never_reaches_a_provider(
    mode: str, instrument: Instrument, client: openai.OpenAI, provider: Provider
) -> None:
    """Plain and streamed; the application's other baggage goes where it went without us."""
    instrument(mode)
    receive(tenant="acme")
    with otel_costs.session("mine", user="me"):
        ask(client)
        list(ask(client, stream=True))
        with client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hi"}]
        ) as response:
            response.read()
        if mode in ("out", "both"):
            assert "session.id=mine" in outgoing()["baggage"]  # it would have gone with the requests
    assert [request.headers.get("baggage") for request in provider.requests] == ["tenant=acme"] * 3


def test_ours_never_reaches_a_provider_from_an_async_client(instrument: Instrument, provider: Provider) -> None:
    """Nor from the tasks of an event loop."""
    instrument("both")

    async def main() -> None:
        async with (
            http.AsyncClient(event_hooks={"request": [propagating_async]}) as sending,
            openai.AsyncOpenAI(base_url=provider.base_url, api_key="sk-none", http_client=sending) as client,
            otel_costs.session("mine", user="me"),
        ):
            await asyncio.gather(
                *(client.embeddings.create(model="text-embedding-3-small", input="hi") for _ in range(3))
            )

    asyncio.run(main())
    assert [request.headers.get("baggage") for request in provider.requests] == [None] * 3


def test_ours_does_not_go_with_requests_that_are_not_billed(
    instrument: Instrument, client: openai.OpenAI, provider: Provider
) -> None:
    """A list of models, the look at a response: they go to the provider, too."""
    instrument("both")
    created = client.responses.create(model="gpt-4o", input="hi")
    with otel_costs.session("mine", user="me"):
        client.models.list()
        client.responses.retrieve(created.id)
    assert [request.headers.get("baggage") for request in provider.requests] == [None] * 3


def test_a_mode_that_does_not_exist_leaves_baggage_off() -> None:
    """A typing error must not send users' ids away, and says which modes there are."""
    with pytest.raises(
        ValueError, match=r"OTEL_COSTS_BAGGAGE is 'sideways': baggage stays off\. It is one of none, in"
    ):
        ours.configure("sideways")
    assert ours.received() == (None, None)
    assert ours.carried() == ours.NOBODY
