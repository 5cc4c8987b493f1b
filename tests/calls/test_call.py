"""A call from start to finish: its span, its ledger record, its messages and its metrics."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls import writer
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Job, Reading
from otel_costs.messages import Draft
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from tests.support.read_call import ReadCall
from tests.support.recorded import Recorded, instrumented

GPT_4O = {"input_tokens": 1500, "output_tokens": 800}  # at 2.50 and 10 per million


def chat(usage: Mapping[str, object] | None = GPT_4O, **options: Any) -> ReadCall:
    read = Reading(model="gpt-4o-2024-08-06", usage=None if usage is None else Usage.of(usage))
    return ReadCall(Call("chat", "openai", "gpt-4o", **options), read)


def test_a_call_leaves_one_record_with_exact_values_and_types(recorded: Recorded) -> None:
    """The ledger has what was used and what it cost, each value with the type that the contract gives it."""
    session = otel_costs.session("abc-123", user="user-1", scenario="customer_service", kb_id="kb_finance")
    with session, otel_costs.step("analysis"):
        chat(attributes={names.SERVER_ADDRESS: "api.openai.com"}).finish()
    call = dict(recorded.call)
    for unknown in (names.CALL_ID, names.PROCESS_ID, names.START_TIME_UNIX_NANO, names.DURATION_S, "timestamp"):
        assert call.pop(unknown)
    for versioned in (names.PRICE_ID, names.PRICE_BOOK):
        assert isinstance(call.pop(versioned), str)
    assert call == {
        "event.name": "otel_costs.call",
        "otel_costs.call.seq": recorded.call[names.CALL_SEQ],
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "server.address": "api.openai.com",
        "session.id": "abc-123",
        "user.id": "user-1",
        "otel_costs.session.kind": "conversation",
        "otel_costs.scenario": "customer_service",
        "otel_costs.tag.kb_id": "kb_finance",
        "otel_costs.step": "analysis",
        "gen_ai.usage.input_tokens": 1500,
        "gen_ai.usage.output_tokens": 800,
        "otel_costs.cost.line.input_tokens": "0.00375",
        "otel_costs.cost.line.output_tokens": "0.008",
        "otel_costs.cost.status": "priced",
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "gen_ai.usage.cost.amount": 0.01175,
        "otel_costs.cost.usd": "0.01175",
        "body": None,
    }


def test_the_span_carries_what_the_ledger_does(recorded: Recorded) -> None:
    """Who looks at a trace sees tokens, cost and session on the span; the numbers of the ledger are not on it."""
    with otel_costs.session("abc-123"):
        chat().finish()
    (span,) = recorded.spans
    assert span.name == "chat gpt-4o"
    found = dict(span.attributes or {})
    assert found[names.COST_USD] == "0.01175"
    assert found[names.SESSION_ID] == "abc-123"
    assert not [name for name in found if name.startswith(("otel_costs.call.", "otel_costs.process."))]
    assert span.status.status_code is StatusCode.UNSET


def test_the_ledger_is_written_whatever_the_sampler_says() -> None:
    """Money is not sampled."""
    recorded = Recorded(sampler=ALWAYS_OFF)
    with instrumented(recorded):
        chat().finish()
    assert recorded.spans == []
    assert recorded.call[names.COST_USD] == "0.01175"


def test_a_call_is_finished_once(recorded: Recorded) -> None:
    """Whoever comes second changes nothing: a stream is closed by the SDK and by the application."""
    call = chat()
    call.finish()
    call.finish("ValueError")
    call.finish()
    assert len(recorded.calls) == len(recorded.spans) == 1
    assert names.ERROR_TYPE not in recorded.call


def test_unknown_usage_is_no_zero(recorded: Recorded) -> None:
    """A call whose usage nobody said is unpriced, and says why; it has neither tokens nor a cost."""
    chat(usage=None).finish()
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "usage_unknown")
    assert not [name for name in call if name.startswith("gen_ai.usage") or name == names.COST_USD]


def test_an_unpriced_model_is_said_once(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """No price is no zero: the cost is absent, and one warning for each model names the variable."""
    for _ in range(2):
        writer.finish(Call("chat", "openai", "no-such-model"), Reading(usage=Usage.of(GPT_4O)))
    assert [names.COST_USD in call for call in recorded.calls] == [False, False]
    assert {call[names.COST_STATUS] for call in recorded.calls} == {"unpriced"}
    (warning,) = [record.getMessage() for record in caplog.records if "No price" in record.getMessage()]
    assert "no-such-model" in warning
    assert "OTEL_COSTS_PRICES" in warning


def test_what_the_provider_says_is_the_cost(recorded: Recorded) -> None:
    """A reported cost counts, the computed one stands beside it, and no line pretends to explain it."""
    chat().finish(reported_cost=Decimal("0.0123"))
    assert recorded.call[names.COST_USD] == "0.0123"
    assert recorded.call[names.COST_SOURCE] == "provider"
    assert recorded.call[names.COST_COMPUTED_USD] == "0.01175"
    assert not [name for name in recorded.call if name.startswith(names.COST_LINE_PREFIX)]


def test_a_refused_request_costs_nothing_and_says_so(recorded: Recorded) -> None:
    """An error status is not billed: that zero is known."""
    chat(usage=None).finish("RateLimitError", refused=True)
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON], call[names.COST_USD]) == (
        "priced",
        "request_refused",
        "0",
    )
    assert call[names.ERROR_TYPE] == "RateLimitError"


def test_the_text_of_an_error_is_nowhere(recorded: Recorded) -> None:
    """An exception's text may quote a prompt or a key: its type alone is recorded."""
    error = ValueError("sk-secret in my prompt")

    def read() -> Reading:
        raise error

    writer.write(chat().call, read, "ValueError")
    (span,) = recorded.spans
    assert span.status.description == "ValueError"
    assert "sk-secret" not in str(recorded.calls) + span.to_json()


def test_a_job_is_billed_once_to_who_started_it(recorded: Recorded) -> None:
    """However often a background job is looked at, it is counted once, in the session that started it."""
    with otel_costs.session("starter") as starter:
        chat().finish(job=Job("resp_1", False, 1_795_000_000))
    for _ in range(3):
        with otel_costs.session("somebody else") as other:
            chat().finish(job=Job("resp_1", True, 1_795_000_000, 1_795_000_060))
    pending, final = recorded.calls
    assert pending[names.CALL_ID] == final[names.CALL_ID]
    assert final[names.CALL_ID][12] == "5"
    assert pending["timestamp"] == final["timestamp"] == 1_795_000_000 * 10**9
    assert (pending[names.CALL_REVISION], final[names.CALL_REVISION]) == (0, 1)
    assert (pending[names.COST_STATUS], pending[names.COST_REASON]) == ("unpriced", "job_not_ended")
    assert (final[names.SESSION_ID], final[names.DURATION_S]) == ("starter", 60.0)
    assert (starter.cost_usd, other.cost_usd) == (Decimal("0.01175"), Decimal(0))


def test_ids_are_random_and_numbers_go_on(recorded: Recorded) -> None:
    """Each call has an id of its own, shaped as a UUIDv4, and the next number of its process."""
    for _ in range(3):
        chat().finish()
    ids = [call[names.CALL_ID] for call in recorded.calls]
    numbers = [call[names.CALL_SEQ] for call in recorded.calls]
    assert len(set(ids)) == 3
    assert {(len(found), found[12]) for found in ids} == {(32, "4")}
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_a_history_that_is_sent_again_is_stored_once(recorded: Recorded) -> None:
    """Each message of a conversation has one record, though every request repeats those before."""
    asked = [Draft("system", "text", "Be kind."), Draft("user", "text", "Hello")]
    answered = Draft("assistant", "text", "Hi, how can I help?")
    with otel_costs.session("abc-123"):
        for inputs in (asked, [*asked, answered, Draft("user", "text", "Bye")]):
            chat().finish(inputs=inputs, outputs=[[answered]])
    said = [(message[names.MESSAGE_ROLE], message["body"]) for message in recorded.messages]
    assert said == [("system", None), ("user", None), ("assistant", None), ("user", None), ("assistant", None)]
    assert len({message[names.MESSAGE_ID] for message in recorded.messages}) == 5


def test_metrics_have_the_names_and_units_of_the_conventions(recorded: Recorded) -> None:
    """Duration, tokens by modality and cost; a sum that somebody charts is the ledger's."""
    call = chat({"input_tokens": 1500, "input_audio_tokens": 500, "output_tokens": 800})
    call.call.first_chunk()
    call.call.chunks = 3
    call.finish()
    found = recorded.metrics()
    assert {point.attributes["gen_ai.token.modality"]: point.value for point in found[names.USAGE_INPUT_TOKENS]} == {
        "text": 1000,
        "audio": 500,
    }
    for name in (names.OPERATION_DURATION, names.OPERATION_TIME_TO_FIRST_CHUNK, names.OPERATION_TIME_PER_OUTPUT_CHUNK):
        (point,) = found[name]
        assert point.count == 1


@pytest.mark.parametrize("part", ["usage_attributes", "cost_attributes", "Conversation", "Status"])
def test_a_bug_of_ours_loses_that_part_alone(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """Whatever breaks, there is one ledger record and one warning, and nothing is raised."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(f"otel_costs.calls.writer.{part}", broken)
    with otel_costs.session("s"):
        call = chat()
    call.finish("TimeoutError", inputs=[Draft("user", "text", "Hello")])
    assert recorded.call[names.COST_STATUS] in ("priced", "unpriced", "estimated")
    (warning,) = [record for record in caplog.records if "RuntimeError" in record.getMessage()]
    assert "a bug of ours" not in warning.getMessage()


def test_a_clock_that_goes_backwards_gives_no_negative_duration(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durations come from a clock that does not; the start is what the wall said."""
    call = chat()
    monkeypatch.setattr("time.time_ns", lambda: 1)
    call.finish()
    assert recorded.call[names.DURATION_S] >= 0
    assert recorded.call["timestamp"] >= recorded.call[names.START_TIME_UNIX_NANO]


def test_record_counts_what_no_patch_sees(recorded: Recorded) -> None:
    """A speech service without a patch is one call of the user's own, with his time, his tags and its price."""
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with otel_costs.session("abc-123") as session:
        cost = otel_costs.record(
            "speech_to_text", provider="openai", model="whisper-1", usage={"audio_seconds": 15}, at=at, shop="north"
        )
    assert cost == session.cost_usd == Decimal("0.0015")
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "15"
    assert call["otel_costs.tag.shop"] == "north"
    assert call[names.START_TIME_UNIX_NANO] == int(at.timestamp()) * 10**9
    assert call[names.DURATION_S] == 0


def test_an_unpriced_record_has_no_cost(recorded: Recorded) -> None:
    """`record` says None where no price is known, and takes the provider's own word where there is one."""
    usage = {"audio_seconds": 15}
    assert otel_costs.record("speech_to_text", provider="acme", model="stt", usage=usage) is None
    assert otel_costs.record("speech_to_text", provider="acme", model="stt", usage=usage, cost_usd="0.006") == Decimal(
        "0.006"
    )
    assert len(recorded.calls) == 2


def test_the_process_has_an_identity_of_its_own(recorded: Recorded) -> None:
    """Every record of a process says which it is."""
    chat().finish()
    assert recorded.call[names.PROCESS_ID] == telemetry.process.id


@pytest.mark.parametrize(
    ("usage", "ledger", "span"),
    [
        ({"audio_seconds": 13}, {"otel_costs.usage.audio_seconds": "13"}, {"otel_costs.usage.audio_seconds": 13.0}),
        ({"audio_seconds": 1.5}, {"otel_costs.usage.audio_seconds": "1.5"}, {"otel_costs.usage.audio_seconds": 1.5}),
        ({"video_seconds": "8.0"}, {"otel_costs.usage.video_seconds": "8"}, {"otel_costs.usage.video_seconds": 8.0}),
        ({"gpu_hours": 2}, {"otel_costs.usage.gpu_hours": "2"}, {"otel_costs.usage.gpu_hours": 2.0}),
        ({"gpu_hours": 2.5}, {"otel_costs.usage.gpu_hours": "2.5"}, {"otel_costs.usage.gpu_hours": 2.5}),
        ({"images": 2.0}, {"otel_costs.usage.images": 2}, {"otel_costs.usage.images": 2}),
        ({"input_tokens": "12"}, {"gen_ai.usage.input_tokens": 12}, {"gen_ai.usage.input_tokens": 12}),
    ],
)  # fmt: skip
def test_an_attribute_has_one_type(
    usage: Mapping[str, object], ledger: Mapping[str, object], span: Mapping[str, object], recorded: Recorded
) -> None:
    """Counts are ints; what may have a fraction is an exact string in the ledger and a double on a span, always."""
    otel_costs.record("chat", provider="acme", model="m", usage=usage)
    (ended,) = recorded.spans
    for found, expected in ((recorded.call, ledger), (ended.attributes or {}, span)):
        said = {name: value for name, value in found.items() if ".usage." in name and ".cost." not in name}
        assert said == expected
        assert {name: type(value) for name, value in said.items()} == {k: type(v) for k, v in expected.items()}


def test_a_span_of_what_is_billed_elsewhere_has_no_usage(recorded: Recorded) -> None:
    """A look leaves a span alone, and no seconds on it that would be counted twice."""
    read = Reading(usage=Usage.of({"audio_seconds": 13}), is_billed=False)
    writer.finish(Call("speech_to_text", "openai", "whisper-1"), read)
    (span,) = recorded.spans
    assert not [name for name in span.attributes or {} if "usage" in name]


@pytest.mark.parametrize(
    "cost_usd",
    [-1, "-0.01", "NaN", float("nan"), float("inf"), "1e400", "9" * 500, 10**12, True, "much", [1], object()],
    ids=lambda cost: ascii(cost)[:10],
)
def test_a_reported_cost_that_is_no_money_is_refused(cost_usd: Any, recorded: Recorded) -> None:
    """It never becomes money: the cost is our own, and why is said."""
    with otel_costs.session("abc-123") as session:
        cost = otel_costs.record("chat", provider="openai", model="gpt-4o", usage=GPT_4O, cost_usd=cost_usd)
    assert cost == session.cost_usd == Decimal("0.01175")
    assert recorded.call[names.COST_SOURCE] == "local"
    assert recorded.call[names.COST_STATUS] == "estimated"
    assert recorded.call[names.COST_REASON] == "reported_cost_invalid"


def test_a_reported_cost_is_kept_as_the_ledger_keeps_it(recorded: Recorded) -> None:
    """To twelve decimals, in the process as in the store: one sum."""
    said = otel_costs.record("chat", provider="openai", model="gpt-4o", usage=GPT_4O, cost_usd="0.0000123456789012345")
    assert said == Decimal("0.000012345679")
    assert recorded.call[names.COST_USD] == "0.000012345679"


def test_a_record_keeps_whose_call_it_is_however_much_it_has(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK drops what was set first past 128 attributes: tags are left out for it, the last ones."""
    monkeypatch.setattr(writer, "MAX_ATTRIBUTES", 100)  # so that it does not depend on what has a price
    units = {f"k{number}_tokens": number for number in range(200)}
    tags: dict[str, Any] = {f"t{number}": "x" for number in range(32)}
    with otel_costs.session("abc-123", user="ada", **{f"s{number}": "y" for number in range(32)}):
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={**units, **GPT_4O}, **tags)
    call = recorded.call
    assert len(call.keys() - {"body", "timestamp"}) == 100
    assert (call[names.SESSION_ID], call[names.USER_ID]) == ("abc-123", "ada")
    assert len(str(call[names.CALL_ID])) == 32
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (1500, 800)
    assert "unknown_usage" in str(call[names.COST_REASON]).split(",")
    assert "otel_costs.tag.s0" in call
    assert "otel_costs.tag.t31" not in call
    assert "the last of its tags are not recorded" in caplog.text
