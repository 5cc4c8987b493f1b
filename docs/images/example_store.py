"""A store with three months of an imaginary company's calls, for the pictures of the pages."""

import json
import random
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

import otel_costs
from otel_costs import semconv

SPOKEN: Final = "parcel-call-40"

_MODELS: Final = {
    ("openai", "gpt-5.4-mini"): 5,
    ("openai", "gpt-4o"): 3,
    ("openai", "gpt-4o-mini"): 4,
    ("anthropic", "claude-sonnet-4-5"): 3,
    ("anthropic", "claude-haiku-4-5"): 2,
    ("mistral", "mistral-large-latest"): 1,
    ("google", "gemini-2.5-flash"): 2,
}
_SCENARIOS: Final = ("customer_service", "sales_training", "dei_training", "code_review")
_ASKED: Final = (
    "Where is my parcel A-1001?",
    "It should have come on Monday. Can you look again?",
    "Can it be delivered to the neighbour, please?",
    "And the second parcel, A-2417?",
    "Können Sie es am Donnerstag nach achtzehn Uhr bringen?",
)
_ANSWERED: Final = (
    "It is at the depot in Leeds and comes tomorrow between nine and eleven.",
    "I have looked it up: it left the depot this morning and is on its way to you.",
    "Of course. I have noted the neighbour at number 12 for it.",
    "That one was delivered on Tuesday, at ten past four.",
)


def fill(http_url: str, otlp_http_url: str) -> None:
    """Record calls by the API, and a spoken session over OTLP, as an instrumented program sends it."""
    dice = random.Random(7)  # noqa: S311  # the same pictures each time
    now = datetime.now(UTC)
    calls = list(_calls(dice, now))
    for start in range(0, len(calls), 500):
        _post(f"{http_url}/api/v1/calls", json.dumps(calls[start : start + 500]).encode(), "application/json")
    for scope, period, name, limit in (("all", "month", "", "40"), ("user", "month", "user-2", "4")):
        address = f"{http_url}/api/v1/budgets/{scope}/{period}" + (f"/{name}" if name else "")
        _post(address, json.dumps({"limit_usd": limit}).encode(), "application/json", "PUT")
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=_Spoken(dice, now - timedelta(hours=2)).records(40))])
    logs.resource.attributes.extend(_attributes({"service.name": "voice-assistant"}))
    request = ExportLogsServiceRequest(resource_logs=[logs])
    _post(f"{otlp_http_url}/v1/logs", request.SerializeToString(), "application/x-protobuf")


def _calls(dice: random.Random, now: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the calls of 1,400 sessions; some failed."""
    for number in range(1400):
        at = now - timedelta(days=90 * dice.random() ** 1.3, minutes=60 * dice.random())
        provider, model = dice.choices(list(_MODELS), list(_MODELS.values()))[0]
        scenario = dice.choice(_SCENARIOS)
        session = {
            "operation": "chat", "provider": provider, "model": model,
            "session": f"{scenario}-{number:05}", "scenario": scenario,
            "user": f"user-{int(200 * dice.random() ** 2)}",
            "kind": "creation" if dice.random() < 0.2 else "conversation",
            "tags": {"team": dice.choice(("sales", "support", "research"))},
            "service": dice.choice(("assistant", "trainer")),
        }  # fmt: skip
        for _ in range(dice.randint(1, 9)):
            at += timedelta(seconds=40 * dice.random())
            sent = int(6000 * dice.random())
            cached = int(sent * dice.random() * 0.6)
            usage = {"input_tokens": sent, "cache_read_tokens": cached, "output_tokens": int(900 * dice.random())}
            failed = {"error": "rate_limit_exceeded", "usage": {}} if dice.random() < 0.01 else {}
            step = dice.choice(("answer", "analysis", "search"))
            yield {**session, "usage": usage, "step": step, "at": min(at, now).isoformat(), **failed}


class _Spoken:
    """The records of a spoken session: what was said, and the calls that it took."""

    def __init__(self, dice: random.Random, began: datetime) -> None:
        self._dice, self._at = dice, began
        self._made: list[LogRecord] = []
        self._message_count = self._calls = self._history = 0

    def records(self, turns: int) -> list[LogRecord]:
        """Return those of so many turns."""
        self._message("system", "You are the voice of a parcel service. Two sentences at most.", self._at)
        for _ in range(turns):
            self._turn()
        return self._made

    def _turn(self) -> None:
        dice = self._dice
        spoke, spoken = dice.uniform(1.5, 6), dice.uniform(1, 8)
        broken = dice.random() < 0.25
        spoken *= 0.4 if broken else 1
        ended = self._at + timedelta(seconds=spoke)
        heard = {"input_tokens": int(spoke * 10), "input_audio_tokens": int(spoke * 10), "output_tokens": 12}
        found = self._call("speech_to_text", "gpt-4o-mini-transcribe", heard, ended, 0.4)
        self._message("user", dice.choice(_ASKED), ended, found, spoke)
        waited = dice.uniform(0.3, 0.9)
        begins = ended + timedelta(seconds=waited)
        cached = self._history // 2
        self._history += int(spoke * 10) + int(spoken * 20) + 30
        used = {
            "input_tokens": self._history + 300, "input_audio_tokens": self._history,
            "cache_read_tokens": cached, "cache_read_audio_tokens": cached,
            "output_tokens": int(spoken * 20) + 20, "output_audio_tokens": int(spoken * 20),
        }  # fmt: skip
        answered = self._call("realtime_inference", "gpt-realtime", used, ended, waited + spoken, waited)
        if dice.random() < 0.2:
            about = {"function_name": "track_parcel", "arguments": '{"parcel": "A-1001"}'}
            self._message("assistant", "", begins, answered, type_="function_call", **about)
            result = '{"place": "depot Leeds", "arrives": "tomorrow, 9 to 11"}'
            self._message("function", result, begins + timedelta(seconds=0.2), answered, type_="function_call", **about)
        more = {"interrupted": "turn_detected"} if broken else {}
        self._message("assistant", dice.choice(_ANSWERED), begins, answered, spoken, **more)
        self._at = begins + timedelta(seconds=spoken + dice.uniform(0.2, 2))

    def _message(
        self, role: str, text: str, at: datetime, call_id: str = "", seconds: float = 0, type_: str = "", **more: str
    ) -> None:
        about = {
            "role": role,
            "type": type_ or ("audio" if seconds else "text"),
            "id": self._id(),
            "index": self._message_count,
        }
        if seconds:
            about["audio_seconds"] = f"{seconds:.3f}"
        found = {f"otel_costs.message.{name}": value for name, value in {**about, **more}.items()}
        self._message_count += 1
        self._record("otel_costs.message", at, {**found, "otel_costs.call.id": call_id}).body.string_value = text

    def _call(
        self, operation: str, model: str, usage: Mapping[str, int], at: datetime, seconds: float, waited: float = 0
    ) -> str:
        self._calls += 1
        cost = otel_costs.price(usage, provider="openai", model=model)
        found = {
            semconv.CALL_ID: self._id(), "otel_costs.call.seq": self._calls, "otel_costs.process.id": "cd" * 16,
            "gen_ai.operation.name": operation, "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model, "gen_ai.response.model": model,
            "otel_costs.cost.usd": str(cost.total), "otel_costs.cost.status": str(cost.status),
            "otel_costs.cost.reason": cost.reason or "", "otel_costs.price.id": cost.price_id or "",
            "otel_costs.start_time_unix_nano": str(int(at.timestamp() * 1e9)), "otel_costs.duration": seconds,
            **{semconv.usage_attribute(unit): quantity for unit, quantity in usage.items() if quantity},
            **{f"otel_costs.cost.line.{line.unit}": str(line.amount) for line in cost.lines},
        }  # fmt: skip
        if waited:
            found[semconv.REALTIME_TIME_TO_FIRST_AUDIO] = waited
        self._record("otel_costs.call", at + timedelta(seconds=seconds), found)
        return str(found[semconv.CALL_ID])

    def _record(self, name: str, at: datetime, found: Mapping[str, object]) -> LogRecord:
        dimensions = {
            "event.name": name,
            "session.id": SPOKEN,
            "user.id": "user-2",
            "otel_costs.scenario": "parcel_service",
        }
        made = LogRecord(time_unix_nano=int(at.timestamp() * 1e9), event_name=name)
        made.attributes.extend(_attributes({**dimensions, **found}))
        self._made.append(made)
        return made

    def _id(self) -> str:
        return uuid.UUID(int=self._dice.getrandbits(128)).hex


def _attributes(found: Mapping[str, object]) -> Iterator[KeyValue]:
    for name, value in found.items():
        if isinstance(value, int):
            yield KeyValue(key=name, value=AnyValue(int_value=value))
        elif isinstance(value, float):
            yield KeyValue(key=name, value=AnyValue(double_value=value))
        elif value:
            yield KeyValue(key=name, value=AnyValue(string_value=str(value)))


def _post(url: str, body: bytes, content_type: str, method: str = "POST") -> None:
    request = urllib.request.Request(url, body, {"Content-Type": content_type}, method=method)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        answer.read()
