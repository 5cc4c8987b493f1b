"""The stand-in for OpenAI with its administration API: what an organization used, and what it will be billed.

Answers to calls are metered as they leave, whoever made them; `use` and `charge` write what a test wants there instead.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from otel_costs.stand_in import Fault, Provider, fault, models
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, error_body, now

ADMIN_KEY = "sk-admin-stand-in-0123456789"

_RESULTS = {
    "completions": (
        "input_tokens",
        "output_tokens",
        "input_cached_tokens",
        "input_audio_tokens",
        "output_audio_tokens",
    ),
    "decisions": ("input_tokens", "output_tokens", "input_cached_tokens", "input_audio_tokens", "output_audio_tokens"),
    "embeddings": ("input_tokens",),
    "images": ("images",),
    "audio_speeches": ("characters",),
    "audio_transcriptions": ("seconds",),
}
_FILTERS = {"project_ids": "project_id", "api_key_ids": "api_key_id", "models": "model"}
_GROUPS = {
    "usage": ("project_id", "user_id", "api_key_id", "model"),
    "costs": ("project_id", "api_key_id", "line_item"),
}
_MOST_BUCKETS = {"usage": 31, "costs": 180}
# Dollars per million, of what the tests ask for: uncached input, cached input, output, as line items name them.
_PRICES = {
    "gpt-4o-2024-08-06": {"input": "2.5", "cached input": "1.25", "output": "10"},
    "text-embedding-3-small": {"input": "0.02"},
    "tts-1": {"characters": "15"},
    "whisper-1": {"audio": "100"},
}


@dataclass(frozen=True)
class Entry:
    """Something that was used or is billed: `sums` are added up, `facts` are what it can be grouped and filtered by."""

    at: int
    kind: str
    sums: Mapping[str, int | Decimal]
    facts: Mapping[str, str | None]


@dataclass
class Ledger:
    """What the organization's reports are made of."""

    entries: list[Entry] = field(default_factory=list)
    amounts_as_text: bool = True
    """Whether amounts are strings of thirty decimals, as answers have been seen, or numbers, as it is described."""

    def use(self, kind: str, model: str | None, at: datetime | None = None, requests: int = 1, **rest: Any) -> None:
        """Enter usage; `project_id` and `api_key_id` are facts, all else is quantities."""
        facts = {name: rest.pop(name, "proj_one" if name == "project_id" else "key_one") for name in _FILTERS.values()}
        sums = {"num_model_requests": requests, **dict.fromkeys(_RESULTS[kind], 0), **rest}
        self.entries.append(Entry(_seconds(at), kind, sums, {**facts, "model": model}))

    def charge(self, line_item: str | None, usd: str, at: datetime | None = None, project_id: str = "proj_one") -> None:
        """Enter a cost."""
        facts = {"line_item": line_item, "project_id": project_id, "api_key_id": "key_one"}
        self.entries.append(Entry(_seconds(at), "costs", {"usd": Decimal(usd)}, facts))

    def results(self, kind: str, args: Mapping[str, list[str]], start: int, end: int) -> Iterator[Json]:
        """Yield what a bucket has: a result per group, none without entries."""
        groups: dict[tuple[str | None, ...], list[Entry]] = {}
        grouped = _values(args, "group_by")
        for entry in self.entries:
            if entry.kind == kind and start <= entry.at < end and _is_asked(entry, args):
                groups.setdefault(tuple(entry.facts.get(name) for name in grouped), []).append(entry)
        names = _GROUPS["costs" if kind == "costs" else "usage"]
        for group, entries in groups.items():
            facts = {**dict.fromkeys(names), **dict(zip(grouped, group, strict=True))}
            sums = {name: sum(entry.sums.get(name, 0) for entry in entries) for name in entries[0].sums}
            yield self._result(kind, sums, facts)

    def _result(self, kind: str, sums: Mapping[str, int | Decimal], facts: Json) -> Json:
        if kind != "costs":
            return {"object": f"organization.usage.{kind}.result", **sums, **facts}
        usd = sums["usd"]
        value = f"{usd:.30f}" if self.amounts_as_text else float(usd)
        amount = {"value": value, "currency": "usd"}
        return {"object": "organization.costs.result", "amount": amount, **facts, "organization_id": "org-stand-in"}


class Organization(Provider):
    """The stand-in, with meters and reports; `ledger` has what it reports."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault]:
        """Answer a report here, and meter what else is answered."""
        if "/organization/" not in target:
            answer, struck = super().answer(method, target, headers, body)
            if answer.status == 200 and method == "POST":
                answer = self._metered(answer, Request(method, target, "", headers, body))
            return answer, struck
        request = self.asked(method, target, headers, body)
        try:
            _authorize(request)
            return Answer(self._page(request)), self._next_fault(request)
        except RefusedError as refused:
            error = error_body(refused.status, str(refused), param=refused.param, code=refused.code)
            return Answer(error, status=refused.status), fault.NOTHING

    def _page(self, request: Request) -> Json:
        args = parse_qs(request.query)
        kind = request.path.rpartition("/")[2]
        family = "costs" if kind == "costs" else "usage"
        if request.path not in (f"/v1/organization/usage/{kind}", "/v1/organization/costs") or (
            kind not in _RESULTS and family == "usage"
        ):
            raise RefusedError(404, f"Invalid URL (GET {request.path})")
        _check(args, family)
        start, end = int(args["start_time"][0]), int(args.get("end_time", [str(now())])[0])
        first = int(base64.b64decode(args["page"][0].removeprefix("page_"))) if "page" in args else start
        last = min(end, first + int(args.get("limit", ["7"])[0]) * 86400)
        following = f"page_{base64.b64encode(str(last).encode()).decode()}" if last < end else None
        buckets = [
            {
                "object": "bucket",
                "start_time": begin,
                "end_time": min(begin + 86400, end),
                "start_time_iso": f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%dT%H:%M:%S}",
                "results": list(self.ledger.results(kind, args, begin, begin + 86400)),
            }
            for begin in range(first, last, 86400)
        ]
        return {"object": "page", "data": buckets, "has_more": following is not None, "next_page": following}

    def _metered(self, answer: Answer, request: Request) -> Answer:
        path, model = request.path.partition("?")[0], models.dated(str(request.json.get("model")))
        if path.endswith("/audio/speech"):
            self._meter("audio_speeches", model, {"characters": len(request.json["input"])})
        elif isinstance(answer.body, Iterator):
            return Answer(self._stream(answer.body), answer.status, answer.content_type, answer.headers)
        elif isinstance(answer.body, dict) and isinstance(spent := answer.body.get("usage"), dict):
            self._meter_usage(path, answer.body.get("model") or model, spent)
        return answer

    def _stream(self, events: Iterator[Event | bytes]) -> Iterator[Event | bytes]:
        for event in events:
            if isinstance(event, Event) and isinstance(event.data, dict) and isinstance(event.data.get("usage"), dict):
                self._meter_usage("", event.data["model"], event.data["usage"])
            yield event

    def _meter_usage(self, path: str, model: str, spent: Json) -> None:
        if "seconds" in spent:
            self._meter("audio_transcriptions", model, {"seconds": spent["seconds"]})
        elif path.endswith("/embeddings"):
            self._meter("embeddings", model, {"input_tokens": spent["prompt_tokens"]})
        else:
            details = spent.get("prompt_tokens_details") or {}
            used = {"input_tokens": spent["prompt_tokens"], "output_tokens": spent["completion_tokens"]}
            self._meter("completions", model, {**used, "input_cached_tokens": details.get("cached_tokens") or 0})

    def _meter(self, kind: str, model: str, used: Mapping[str, int]) -> None:
        self.ledger.use(kind, model, **dict[str, Any](used))
        cached = used.get("input_cached_tokens", 0)
        billed = {
            "input": used.get("input_tokens", 0) - cached,
            "cached input": cached,
            "output": used.get("output_tokens", 0),
            "characters": used.get("characters", 0),
            "audio": used.get("seconds", 0),
        }
        for part, price in _PRICES[model].items():
            if billed[part]:
                self.ledger.charge(f"{model}, {part}", str(billed[part] * Decimal(price) / 1_000_000))


def midnight(days_ago: int) -> datetime:
    """Return the first moment of a day in UTC."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def _authorize(request: Request) -> None:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if key == ADMIN_KEY:
        return
    if key.startswith("sk-proj-"):
        raise RefusedError(
            403, f"You have insufficient permissions for this operation with {key}. Missing scopes: api.usage.read."
        )
    raise RefusedError(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")


def _check(args: Mapping[str, list[str]], family: str) -> None:
    if "start_time" not in args:
        raise RefusedError(400, "Missing required parameter: 'start_time'.", param="start_time")
    if args.get("bucket_width", ["1d"]) != ["1d"]:
        raise RefusedError(400, "The stand-in has days alone.", param="bucket_width")
    if not 1 <= int(args.get("limit", ["7"])[0]) <= _MOST_BUCKETS[family]:
        raise RefusedError(400, f"'limit' must be at most {_MOST_BUCKETS[family]}.", param="limit")
    if unknown := set(_values(args, "group_by")) - set(_GROUPS[family]):
        raise RefusedError(400, f"Invalid value: {json.dumps(sorted(unknown))}.", param="group_by")


def _is_asked(entry: Entry, args: Mapping[str, list[str]]) -> bool:
    wanted = {fact: _values(args, name) for name, fact in _FILTERS.items()}
    return all(not values or entry.facts.get(fact) in values for fact, values in wanted.items())


def _values(args: Mapping[str, list[str]], name: str) -> list[str]:
    """Return the values of a list, written as OpenAI's client does or without brackets."""
    return [*args.get(f"{name}[]", []), *args.get(name, [])]


def _seconds(at: datetime | None) -> int:
    return now() if at is None else int(at.timestamp())
