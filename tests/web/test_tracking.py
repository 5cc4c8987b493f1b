"""Calls and sessions that a program tells of: priced as `record` prices, stored once, and reported."""

import json
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import otel_costs
from otel_costs.local import Stack
from otel_costs.store import rendering, rows, stored_calls
from tests.local.support import Answer, ask, send

from .conftest import cookie
from .support import got, refusal, sent, served

CHAT: dict[str, Any] = {
    "operation": "chat",
    "provider": "openai",
    "model": "gpt-4o",
    "usage": {"input_tokens": 1500, "output_tokens": 800},
}
SPEECH = {"operation": "speech_to_text", "provider": "deepgram", "model": "nova-3", "usage": {"audio_seconds": 12.5}}


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    return f"{emptied_stack.http_url}/api/v1"


def told(api: str, call: Any) -> Any:
    answer = sent(f"{api}/calls", call)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def stored(stack: Stack, session: str) -> list[dict[str, Any]]:
    return ask(stack.http_url, "SELECT * FROM billed_calls WHERE session_id = {s:String} ORDER BY end_time", s=session)


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (CHAT, "priced", ""),
        ({**CHAT, "usage": {"prompt_tokens": 1500, "completion_tokens": 800, "total_tokens": 2300}}, "priced", ""),
        ({**CHAT, "model": "nobody-knows"}, "unpriced", "unknown_model"),
        ({**CHAT, "usage": {"input_tokens": 5, "dreams": 3}}, "partial", "unknown_usage"),
        ({**CHAT, "usage": {"input_tokens": "many"}}, "unpriced", "invalid_usage"),
        ({**CHAT, "cost_usd": 0.1}, "priced", ""),
        ({**CHAT, "cost_usd": "-1"}, "estimated", "reported_cost_invalid"),
        (SPEECH, None, None),
    ],
)  # fmt: skip
def test_a_call_costs_what_record_says(
    api: str, emptied_stack: Stack, session: str, call: dict[str, Any], status: str | None, reason: str | None
) -> None:
    """The same usage is read and priced in the same way; the answer and the ledger say the same."""
    answer = told(api, {**call, "session": session})
    if status is not None:
        assert answer["status"] == status
        assert reason in answer["reason"].split(",") or answer["reason"] == reason
    if "cost_usd" not in call:
        expected = otel_costs.price(call["usage"], provider=call["provider"], model=call["model"])
        assert (None if answer["cost_usd"] is None else Decimal(answer["cost_usd"])) == expected.total
    (row,) = stored(emptied_stack, session)
    assert (row["cost_status"], row["cost_reason"]) == (answer["status"], answer["reason"])
    assert row["call_id"] == answer["call_id"]
    assert row["operation"] == call["operation"]
    usd = None if row["cost_usd"] is None else rendering.money(Decimal(str(row["cost_usd"])))
    assert usd == answer["cost_usd"]


def test_what_no_ledger_holds_is_no_cost(api: str, emptied_stack: Stack, session: str) -> None:
    """From a trillion dollars on the answer says what the store has: unpriced, and why."""
    call = {**CHAT, "usage": {"input_tokens": 10**18}, "session": session, "idempotency_key": "k"}
    first, again = told(api, call), told(api, call)
    assert (first["cost_usd"], first["status"], first["reason"]) == (None, "unpriced", "invalid_usage")
    assert {**first, "repeated": True} == again
    (row,) = stored(emptied_stack, session)
    assert (row["cost_usd"], row["cost_status"], row["cost_reason"]) == (None, "unpriced", "invalid_usage")


def test_several_calls_at_once(api: str, emptied_stack: Stack, session: str) -> None:
    """Their answers come in order; each has a place of its own in the ledger."""
    call = {**CHAT, "session": session}
    calls = [{**call, "step": f"step {number}", "usage": {"input_tokens": number}} for number in range(1, 6)]
    answers = told(api, calls)["calls"]
    assert [Decimal(one["cost_usd"]) for one in answers] == [Decimal("0.0000025") * number for number in range(1, 6)]
    assert sorted(row["step"] for row in stored(emptied_stack, session)) == [f"step {number}" for number in range(1, 6)]


@pytest.mark.parametrize("usage", [{"input_tokens": 0, "output_tokens": 0}, {"prompt_tokens": 0, "total_tokens": 0}])
def test_a_call_of_zeros(api: str, session: str, usage: dict[str, int]) -> None:
    """No prompt has no tokens: what it cost is not known, unless it failed."""
    call = {**CHAT, "session": session, "usage": usage}
    found = told(api, call)
    assert (found["cost_usd"], found["status"], found["reason"]) == (None, "unpriced", "no_usage")
    failed = told(api, {**call, "error": "RateLimitError"})
    assert (Decimal(failed["cost_usd"]), failed["status"]) == (Decimal(0), "priced")


def test_a_call_that_is_sent_again_counts_once(api: str, emptied_stack: Stack, session: str) -> None:
    """One after the other, at the same time, and twice in one request; the answer is that of the first."""
    call = {**CHAT, "session": session, "idempotency_key": "k1"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: told(api, call), range(16)))
    answers += told(api, [call, call])["calls"]
    assert sum(not one["repeated"] for one in answers) == 1
    assert len({(one["call_id"], one["cost_usd"], one["at"], one["status"]) for one in answers}) == 1
    assert len(stored(emptied_stack, session)) == 1
    said = refusal(sent(f"{api}/calls", {**call, "usage": {"input_tokens": 1}}), 409)
    assert "'k1'" in said
    assert "409" not in said
    assert len(stored(emptied_stack, session)) == 1
    assert not told(api, {**call, "idempotency_key": "k2"})["repeated"]


@pytest.mark.some(1)
@pytest.mark.parametrize(
    "other",
    [
        {"cost_usd": "5"},
        {"cost_usd": "-1"},
        {"service_tier": "priority"},
        {"at": "2026-11-20T10:00:00Z"},
        {"error": "RateLimitError"},
        {"usage": {**CHAT["usage"], "dreams": {"dreamt": 3}}},
        {"usage": {**CHAT["usage"], "audio_seconds": 3}},
        {"usage": {**CHAT["usage"], "images": -3}},
    ],
    ids=str,
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_key_is_that_of_one_call(
    api: str, emptied_stack: Stack, session: str, other: dict[str, Any], swapped: bool
) -> None:
    """What money depends on is the same, or nothing is stored: one after the other, and in one request."""
    one = {**CHAT, "session": session, "idempotency_key": "k1"}
    first, second = ({**one, **other}, one) if swapped else (one, {**one, **other})
    if "at" in first:
        second = {**second, "at": "2026-11-20T11:00:00Z"}  # who does not say when means no other time
    refusal(sent(f"{api}/calls", [first, second]), 409)
    assert stored(emptied_stack, session) == []
    assert not told(api, first)["repeated"]
    assert told(api, first)["repeated"]
    refusal(sent(f"{api}/calls", second), 409)
    assert told(api, [first, first])["calls"][1]["repeated"]
    assert len(stored(emptied_stack, session)) == 1


def test_a_key_outside_of_any_session(api: str, emptied_stack: Stack) -> None:
    """It is that of its user."""
    key, user = uuid.uuid4().hex, uuid.uuid4().hex
    calls = [{**CHAT, "user": user, "idempotency_key": key}, {**CHAT, "idempotency_key": key}]
    for repeated in (False, True):
        assert [told(api, call)["repeated"] for call in calls] == [repeated, repeated]
    found = ask(emptied_stack.http_url, "SELECT count() AS c FROM billed_calls WHERE user_id = {u:String}", u=user)
    assert found == [{"c": 1}]


@pytest.mark.long
def test_the_same_time_counts_once_through_several_servers(emptied_stack: Stack, session: str) -> None:
    """With a time of its own a call is the same one wherever it arrives."""
    dsn = emptied_stack.http_url
    made = [otel_costs.web.app(dsn=dsn, writer_dsn=dsn, write=True) for _ in range(2)]
    call = {**CHAT, "session": session, "idempotency_key": "k", "at": datetime.now(UTC).isoformat()}
    with served(made[0]) as first, served(made[1]) as second, ThreadPoolExecutor(8) as threads:
        # One after the other each builds what it reads a body with: FastAPI silences warnings of that meanwhile, which
        # is the process's and not a thread's.
        for url in (first, second):
            told(f"{url}/api/v1", {**CHAT, "session": f"{session}/first"})
        list(threads.map(lambda number: told(f"{(first, second)[number % 2]}/api/v1", call), range(16)))
    assert len(stored(emptied_stack, session)) == 1


@pytest.mark.long
def test_keys_of_many_sessions_and_users_at_once(
    emptied_stack: Stack, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, the store is asked as often as for one of each."""
    asked: list[str] = []

    def counted(client: Any, sql: str, of: Mapping[str, object]) -> list[rows.Row]:
        asked.append(sql)
        return rows.rows(client, sql, of)

    monkeypatch.setattr(stored_calls, "rows", counted)
    calls = [{**CHAT, "session": f"{session}/{number}", "idempotency_key": "k"} for number in range(40)]
    calls += [{**CHAT, "user": f"{session}/{number}", "idempotency_key": "k"} for number in range(40)]
    dsn = emptied_stack.http_url
    with served(otel_costs.web.app(dsn=dsn, writer_dsn=dsn, write=True)) as url:
        for repeated in (False, True):
            answer = told(f"{url}/api/v1", calls)
            assert [one["repeated"] for one in answer["calls"]] == [repeated] * 80
        assert len(asked) == 4
        other = {**calls[7], "usage": {"input_tokens": 1}}
        assert "another call" in refusal(sent(f"{url}/api/v1/calls", [*calls, other]), 409)


@pytest.mark.long
def test_a_usage_of_many_units(api: str, session: str) -> None:
    """It is priced as far as it is counted, which is said, and others are answered meanwhile."""
    usage = {**{f"k{number}_tokens": number for number in range(200_000)}, **CHAT["usage"]}
    with ThreadPoolExecutor(1) as threads:
        answering = threads.submit(told, api, {**CHAT, "session": session, "usage": usage})
        while not answering.done():
            assert got(f"{api}/prices", provider="openai", model="gpt-4o")
        answer = answering.result()
    assert answer["status"] == "partial"
    assert "unknown_usage" in answer["reason"].split(",")
    assert Decimal(answer["cost_usd"]) == Decimal("0.01175")


def test_a_session_told_from_its_start_to_its_end(api: str, emptied_stack: Stack, session: str) -> None:
    """Its calls get what was told of it; its end answers with its report."""
    path = f"{api}/sessions/{session}%2F1"
    start = {"user": "ada", "kind": "creation", "scenario": "sales", "tags": {"team": "west", "mode": "assess"}}
    answer = sent(path, start)
    assert (answer.status, json.loads(answer.text)["kind"]) == (200, "creation")
    assert json.loads(sent(path, {"scenario": "sales_training"}).text)["user_id"] == "ada"
    empty = json.loads(send(f"{path}/end", b"", method="POST").text)
    assert (empty["call_count"], empty["cost_usd"], empty["user_id"]) == (0, "0", "ada")
    assert empty["tags"] == start["tags"]
    told(api, {**CHAT, "session": f"{session}/1", "step": "analysis"})
    told(api, {**CHAT, "session": f"{session}/1", "user": "bob", "tags": {"team": "east"}})
    report = json.loads(send(f"{path}/end", b"", method="POST").text)
    assert (report["session_id"], report["user_id"], report["kind"]) == (f"{session}/1", "ada", "creation")
    assert (report["scenario"], report["call_count"], report["cost_usd"]) == ("sales_training", 2, "0.023500")
    assert report["cost"]["cost_breakdown"]["text_output"] == "0.016000"
    rows = stored(emptied_stack, f"{session}/1")
    assert [(row["user_id"], row["tags"]["team"], row["tags"]["mode"]) for row in rows] == [
        ("ada", "west", "assess"),
        ("bob", "east", "assess"),
    ]
    listed = got(f"{api}/sessions", kind="creation", tag_team="west")
    assert f"{session}/1" in [row["session_id"] for row in listed["sessions"]]


@pytest.mark.long
def test_what_is_told_of_a_session_at_the_same_time(api: str, session: str) -> None:
    """Each part of it stays, whoever was first."""
    told = [{"user": "eve"}, {"scenario": "sales"}, {"kind": "creation"}, {"tags": {"team": "west"}}] * 2
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: sent(f"{api}/sessions/{session}", body), told))
    assert {answer.status for answer in answers} == {200}
    found = got(f"{api}/sessions/{session}")
    assert [found[name] for name in ("user_id", "scenario", "kind", "tags")] == [
        "eve",
        "sales",
        "creation",
        {"team": "west"},
    ]


def test_a_session_that_nobody_knows_has_no_end(api: str, session: str) -> None:
    """It is 404, and leaves nothing."""
    assert session in refusal(send(f"{api}/sessions/{session}/end", b"", method="POST"), 404)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"operation": "chat", "provider": "openai"}, '"error": "body.usage: Field required"'),
        ([CHAT, {**CHAT, "provider": ""}], '"error": "body.1.provider: String should have at least 1 character"'),
        ({**CHAT, "usage": [1]}, "usage"),
        ({**CHAT, "cost_usd": True}, "cost_usd"),
        ({**CHAT, "operation": ""}, "operation"),
        ({**CHAT, "sesion": "s"}, "sesion"),
        ({**CHAT, "at": "soon"}, "is no date"),
        ({**CHAT, "at": "1900-01-01"}, "no time that can be stored"),
        ({**CHAT, "tags": {str(number): "" for number in range(33)}}, "tags"),
        ({**CHAT, "session": "\ud800"}, "session"),
        ([], "give 1 to 1000"),
        ([CHAT] * 1001, "give 1 to 1000"),
        ("chat", "body"),
    ],
)
def test_what_is_no_call_is_refused(api: str, call: Any, said: str) -> None:
    """With the field that is wrong; nothing of the request is stored."""
    answer = sent(f"{api}/calls", call)
    refusal(answer, 400)
    assert said in answer.text


def test_a_body_that_is_no_json_or_too_large(api: str) -> None:
    """Neither reaches the store."""
    assert "body" in refusal(send(f"{api}/calls", b"{", {"Content-Type": "application/json"}), 400)
    assert "Content-Type: application/json" in refusal(send(f"{api}/calls", json.dumps(CHAT).encode()), 400)
    assert "larger than" in refusal(send(f"{api}/calls", b"[" * (9 * 2**20), {"Content-Type": "application/json"}), 413)


def test_who_may_write(program: str, session: str) -> None:
    """The host's function decides; a page of another origin may not, whatever cookies it has."""
    call = {**CHAT, "session": session}

    def post(user: str, **headers: str) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return sent(f"{program}/api/v1/calls", call, {**cookie(user), **more})

    assert "may not write" in refusal(post("clerk"), 403)
    assert post("robot").status == 200
    host = program.partition("//")[2].partition("/")[0]
    assert post("robot", Origin=f"http://{host}").status == 200
    assert post("robot", Origin="http://elsewhere.example", Sec_Fetch_Site="same-origin").status == 200
    for headers in (
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": f"http://{host}"},
    ):
        assert "another origin" in refusal(post("robot", **headers), 403)
    ended = send(f"{program}/api/v1/sessions/{session}/end", b"", cookie("robot"), "POST")
    assert json.loads(ended.text)["content_withheld"] is True


def test_without_an_address_to_write_to(emptied_stack: Stack, session: str) -> None:
    """It says what it would need."""
    with served(otel_costs.web.app(dsn=emptied_stack.http_url, write=True)) as url:
        assert "writer_dsn" in refusal(sent(f"{url}/api/v1/calls", {**CHAT, "session": session}), 403)
        assert "writer_dsn" in refusal(sent(f"{url}/api/v1/sessions/{session}", {}), 403)
    with served(otel_costs.web.app(dsn=emptied_stack.http_url, writer_dsn=emptied_stack.http_url)) as url:
        assert "may not write" in refusal(sent(f"{url}/api/v1/calls", {**CHAT, "session": session}), 403)
