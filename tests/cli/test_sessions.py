"""The commands about conversations, over a real store."""

import csv
import io
import json
import urllib.request
import uuid
from typing import Any, Final

import pytest

from otel_costs.pricing.cost_reason import CostReason

from .support import DAY, Ledger, at, run


def test_sessions_as_a_table(url: str) -> None:
    """The newest first, with what they cost, and that a call has no price."""
    said = run("sessions", url=url)
    assert (said.exit_code, said.stderr) == (0, "")
    rows = [line.split() for line in said.stdout.splitlines() if line.strip()][2:]
    assert [row[0] for row in rows] == ["voice", "parcel"]
    assert rows[0][-4:] == ["1", "2", "1", "$0.001500"]
    assert rows[1][1:3] == ["ada", "shop"]
    assert rows[1][-4:] == ["5", "2", "0", "$0.008495"]


def test_sessions_as_json_are_what_curl_gets(url: str) -> None:
    """The command and GET /sessions answer the same."""
    said = run("sessions", "--format", "json", url=url)
    with urllib.request.urlopen(f"{url}/sessions", timeout=30) as answer:
        assert json.loads(said.stdout) == json.load(answer)


def test_a_session_as_json_is_what_curl_gets(url: str) -> None:
    """The command and GET /sessions/{id} answer the same, in the promised shape."""
    said = run("session", "parcel", "--format", "json", url=url)
    found = json.loads(said.stdout)
    with urllib.request.urlopen(f"{url}/sessions/parcel", timeout=30) as answer:
        assert found == json.load(answer)
    assert found["cost_usd"] == found["cost"]["cost_usd"] == "0.008495"
    assert found["cost"]["tokens"]["cached_input"] == 1024
    assert found["cost"]["cost_breakdown"]["text_input"] == "0.005095"
    assert [message["role"] for message in found["messages"]] == [
        "system",
        "user",
        "assistant",
        "function",
        "assistant",
    ]
    assert found["messages"][3]["metadata"] == {"function_name": "lookup_order"}


@pytest.mark.long
def test_sessions_of_one_user_in_a_period(url: str) -> None:
    """--user, --from and --to choose; the day of --to is in it."""

    def chosen(*arguments: str) -> list[str]:
        found = json.loads(run("sessions", "--format", "json", *arguments, url=url).stdout)
        return [row["session_id"] for row in found["sessions"]]

    day = f"{DAY:%Y-%m-%d}"
    assert chosen("--user", "ada") == ["parcel"]
    assert chosen("--scenario", "shop") == ["parcel"]
    assert chosen("--to", day) == ["parcel"]
    assert chosen("--to", f"{day}T10:29:00Z") == []
    assert chosen("--from", f"{day}T10:30:00+01:00", "--to", f"{day}T11:30:01+01:00") == ["parcel"]
    assert chosen("--from", f"{day}T10:30:01Z") == ["voice"]


def test_more_sessions_than_shown_are_said(url: str) -> None:
    """Nobody takes a page for all; the table itself stays clean."""
    said = run("sessions", "--limit", "1", url=url)
    assert "voice" in said.stdout
    assert "parcel" not in said.stdout
    assert said.stderr == "the newest 1 of 2 sessions; --limit 2 shows all\n"


def test_sessions_as_csv(url: str) -> None:
    """Exact figures, one row each."""
    rows = list(csv.DictReader(io.StringIO(run("sessions", "--format", "csv", url=url).stdout)))
    assert [(row["session_id"], row["cost_usd"], row["unpriced_calls"]) for row in rows] == [
        ("voice", "0.001500", "1"),
        ("parcel", "0.008495", "0"),
    ]
    assert rows[1]["start_time"] == f"{DAY:%Y-%m-%d}T10:30:00.000Z"


def test_a_conversation_with_its_calls_line_by_line(url: str) -> None:
    """What was said and what it cost stand in the order in which they happened; each line says how it comes about."""
    said = run("session", "parcel", url=url)
    assert said.exit_code == 0
    in_order = (
        "Session parcel · $0.008495 · user ada · shop · team west",
        "690 characters, --full shows all",
        "Where is my order A-1001?",
        'lookup_order({"order_id": "A-1001"})',
        "chat gpt-4o-2024-08-06 · 500 ms",
        "1,250 × $2.50/1M = $0.003125",
        "340 × $10/1M   = $0.003400",
        'lookup_order → {"status": "in transit"}',
        "It is in transit.",
        "step answer",
        "276 × $2.50/1M = $0.000690",
        "cached input  1,024 × $1.25/1M = $0.001280",
        "text input    $0.003815",
        "cached text   $0.001280",
        "text output   $0.003400",
        "total         $0.008495",
    )
    places = [said.stdout.index(part) for part in in_order]
    assert places == sorted(places)


@pytest.mark.long
def test_every_line_has_its_quantity_and_rate(store: str) -> None:
    """Whatever is counted: searches, characters, seconds to the nanosecond, images, at a tier, in a batch."""
    ledger = Ledger(store)
    for clock, line, attributes in _LINES:
        unit, _, rest = line.partition(" ")
        usd = rest.rpartition("$")[2].replace(",", "")
        given: dict[str, Any] = {f"otel_costs.cost.line.{unit}": usd, "otel_costs.cost.usd": usd, **attributes}
        ledger.call("units", at(clock), **given)
    said = " ".join(run("session", "units", url=store).stdout.split())
    assert said.count("×") == len(_LINES)
    for _, line, _ in _LINES:
        assert line.partition(" ")[2] in said


def test_an_answer_that_was_interrupted(store: str) -> None:
    """As far as it was heard, and no word of its record being cut."""
    ledger = Ledger(store)
    broken: dict[str, Any] = {"otel_costs__message__interrupted": "turn_detected", "otel_costs__message__bytes": 38400}
    broken |= {"otel_costs__message__truncated": "true"}
    spoken: dict[str, Any] = {"otel_costs__message__type": "audio"}
    ledger.message("cut", at("15:00:00"), "user", "Where is it?", otel_costs__message__audio_seconds="10.5", **spoken)
    ledger.message(
        "cut", at("15:00:01"), "assistant", "Your parcel is", otel_costs__message__audio_seconds="0.6",
        **spoken, **broken,
    )  # fmt: skip
    ledger.message("cut", at("15:00:02"), "assistant", "Hm", **spoken, **broken)
    ledger.message("cut", at("15:00:03"), "assistant", "In short", **broken)
    said = run("session", "cut", url=store).stdout
    assert [line.partition(" [")[2].strip() for line in said.splitlines() if " [" in line] == [
        "audio 10.5 s] Where is it?",
        "interrupted after 0.6 s] Your parcel is",
        "interrupted] Hm",
        "interrupted] In short",
    ]
    found = json.loads(run("session", "cut", "--format", "json", url=store).stdout)
    assert [message["metadata"].get("interrupted") for message in found["messages"]] == [None, *["turn_detected"] * 3]


@pytest.mark.long
def test_a_call_stands_behind_what_was_said_in_it(store: str) -> None:
    """However close they are in time, and whichever ended first; one that nobody said anything in goes by its time."""
    ledger = Ledger(store)
    ids = {name: uuid.uuid4().hex for name in ("heard", "first", "second", "other")}
    for clock, role, said, call in (
        ("16:00:00.001", "user", "Where is it?", "heard"),
        ("16:00:00.002", "assistant", "In Leeds.", "first"),
        ("16:00:00.003", "assistant", "Or near.", "first"),
        ("16:00:00.004", "assistant", "Goodbye.", "second"),
        ("16:00:00.009", "user", "Bye.", None),
    ):
        about = {"otel_costs__call__id": ids[call]} if call else {}
        ledger.message("one-moment", at(clock), role, said, **about)
    for clock, name in (
        ("16:00:00.006", "second"),
        ("16:00:00.007", "first"),
        ("16:00:00.008", "other"),
        ("16:00:00.010", "heard"),
    ):
        ledger.call("one-moment", at(clock), gen_ai__response__model=f"model-{name}", otel_costs__call__id=ids[name])
    shown = run("session", "one-moment", url=store).stdout
    in_order = ("Where is it?", "model-heard", "In Leeds.", "Or near.", "model-first", "Goodbye.", "model-second",
                "model-other", "Bye.")  # fmt: skip
    places = [shown.index(part) for part in in_order]
    assert places == sorted(places)


def test_a_spoken_conversation(store: str) -> None:
    """Text, audio, what was cached, transcription and synthesis apart; who spoke how long; what was called and cut."""
    ledger = Ledger(store)
    spoken: dict[str, Any] = {"otel_costs__message__type": "audio"}
    ledger.message("spoken", at("15:00:00"), "user", "Where is it?", otel_costs__message__audio_seconds="3.2", **spoken)
    ledger.message("spoken", at("15:00:01"), "user", "", **spoken)
    ledger.message(
        "spoken", at("15:00:02"), "function", "on its way", otel_costs__message__type="function_result",
        otel_costs__message__function_name="find", otel_costs__message__truncated="true",
        otel_costs__message__bytes=70000,
    )  # fmt: skip
    lines = {
        "input_tokens": "0.0004",
        "cache_text_read_tokens": "0.00004",
        "input_audio_tokens": "0.0032",
        "cache_audio_read_tokens": "0.00008",
        "output_tokens": "0.0016",
        "output_audio_tokens": "0.0128",
    }
    given: dict[str, Any] = {f"otel_costs.cost.line.{unit}": usd for unit, usd in lines.items()}
    ledger.call(
        "spoken", at("15:00:03"), gen_ai__operation__name="realtime_inference", otel_costs__cost__usd="0.01812", **given
    )
    for operation, unit, usd in (
        ("speech_to_text", "audio_seconds", "0.0015"),
        ("text_to_speech", "input_characters", "0.03"),
    ):
        ledger.call(
            "spoken", at("15:00:04"), gen_ai__operation__name=operation, otel_costs__cost__usd=usd,
            **{f"otel_costs.cost.line.{unit}": usd},
        )  # fmt: skip
    said = run("session", "spoken", url=store).stdout
    assert "[audio 3.2 s] Where is it?" in said
    assert "[audio] (content not recorded)" in said
    assert "find → on its way [cut when it was recorded: it had 70,000 bytes]" in " ".join(said.split())
    totals = dict(line.strip().rsplit("   ", 1) for line in said[said.index("\ntext input") :].splitlines()[1:10])
    assert {kind.strip(): usd.strip() for kind, usd in totals.items()} == {
        "text input": "$0.000400",
        "cached text": "$0.000040",
        "text output": "$0.001600",
        "audio input": "$0.003200",
        "cached audio": "$0.000080",
        "audio output": "$0.012800",
        "speech to text": "$0.001500",
        "text to speech": "$0.030000",
        "total": "$0.049620",
    }


_LINES: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("16:00:00", "web_searches 3 × $10/1K = $0.030000", {"otel_costs.usage.web_searches": 3}),
    (
        "16:00:01",
        "cache_read_tokens 1,000 × $1.25/1M = $0.001250",
        {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.cache_read.input_tokens": 1000},
    ),
    (
        "16:00:02",
        "input_characters 2,000 × $15/1M = $0.030000",
        {
            "gen_ai.response.model": "tts-1",
            "otel_costs.usage.input_characters": 2000,
            "gen_ai.operation.name": "text_to_speech",
        },
    ),
    (
        "16:00:03",
        "images 1 × $0.04 = $0.040000",
        {
            "gen_ai.response.model": "dall-e-3",
            "otel_costs.usage.images": 1,
            "otel_costs.price.model": "dall-e-3/standard/1024x1024",
        },
    ),
    (
        "16:00:04",
        "audio_seconds 2.123456789 × $0.36/3,600 = $0.000212345679",
        {"gen_ai.response.model": "whisper-1", "otel_costs.usage.audio_seconds": "2.123456789"},
    ),
    (
        "16:00:05",
        "input_tokens 1,000 × $1.25/1M = $0.001250",
        {"gen_ai.usage.input_tokens": 1000, "otel_costs.price.processing": "batch"},
    ),
)


def test_a_line_that_the_prices_here_do_not_give_has_its_amount_alone(store: str) -> None:
    """A rate is never invented: an amount of a negotiated price stands without quantity and rate."""
    Ledger(store).call(
        "negotiated",
        at("12:00:00"),
        gen_ai__usage__input_tokens=1000,
        otel_costs__cost__line__input_tokens="0.001",
        otel_costs__cost__usd="0.001",
    )
    said = run("session", "negotiated", url=store)
    assert "$0.001000" in said.stdout
    assert "×" not in said.stdout


def test_a_cost_that_is_no_exact_price_says_so(store: str) -> None:
    """Partial is at least, estimated is about, and what the provider reported is that."""
    ledger = Ledger(store)
    for status, minute in (("partial", 1), ("estimated", 2), ("priced", 3)):
        ledger.call(
            "kinds",
            at(f"13:0{minute}:00"),
            otel_costs__cost__usd=f"0.00{minute}",
            otel_costs__cost__status=status,
            otel_costs__cost__reason="None" if status == "priced" else "unit_not_priced",
            otel_costs__cost__unknown='["holographic_tokens"]' if status == "partial" else "[]",
            gen_ai__usage__cost__source="provider" if status == "priced" else "local",
        )
    said = run("session", "kinds", url=store).stdout
    assert "≥ $0.001000" in said
    assert "≈ $0.002000" in said
    assert "partial: unit_not_priced (holographic_tokens)" in said
    assert "cost as reported by the provider" in said


def test_a_message_is_shown_whole_when_asked(url: str) -> None:
    """--full cuts nothing."""
    whole = run("session", "parcel", "--full", url=url).stdout
    assert "shows all" not in whole
    assert whole.count("You are the assistant.") == 30


def test_an_unpriced_call_is_never_a_zero(url: str) -> None:
    """It says that it has no price and why, and the total says how many it misses."""
    said = run("session", "voice", url=url).stdout
    assert "unpriced: unknown_model" in said
    assert CostReason.UNKNOWN_MODEL.meaning in said
    assert "failed: RateLimitError" in said
    assert "total            $0.001500 + 1 unpriced" in said


def test_a_session_as_csv_is_its_timeline(url: str) -> None:
    """Messages and calls, one row each, in time."""
    rows = list(csv.DictReader(io.StringIO(run("session", "parcel", "--format", "csv", url=url).stdout)))
    assert [row["kind"] for row in rows] == ["message", "message", "message", "call", "message", "message", "call"]
    assert rows[3]["cost_usd"] == "0.006525"
    assert json.loads(rows[3]["cost_lines"]) == {"input_tokens": "0.003125", "output_tokens": "0.003400"}


def test_no_such_session(url: str) -> None:
    """The nearest id is named; nothing stands on standard output."""
    said = run("session", "parcle", url=url)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no session 'parcle'; did you mean parcel?" in said.stderr


@pytest.mark.parametrize("words", [["order"], ["ORDER", "where"], ["rde", "--anywhere"]])
def test_search(url: str, words: list[str]) -> None:
    """Whole words in any case and order; with --anywhere parts of words too."""
    said = run("search", *words, url=url)
    assert said.exit_code == 0
    assert "Where is my order A-1001?" in said.stdout


def test_search_finds_nothing(url: str) -> None:
    """That is no error; standard error says what may be the reason."""
    said = run("search", "rde", url=url)
    assert (said.exit_code, said.stdout) == (0, "")
    assert "--anywhere" in said.stderr
    assert json.loads(run("search", "rde", "--format", "json", url=url).stdout) == {"messages": []}


def test_search_shows_the_place_in_a_long_message(store: str) -> None:
    """A word in the middle of a long message is shown with what is around it."""
    Ledger(store).message("long", at("14:00:00"), "user", "a " * 5000 + "needle " + "b " * 5000)
    said = run("search", "needle", url=store).stdout
    assert "a needle b" in said
    assert len(said) < 2000


@pytest.mark.long
def test_a_list_that_is_empty(store: str) -> None:
    """Where there are sessions, and none is like that, it is said; a program gets an empty list."""
    since = ("--from", f"{DAY.year + 1}-01-01")
    said = run("sessions", *since, url=store)
    assert said.exit_code == 0
    assert "no session matches; `otel-costs sessions` lists all" in said.stderr
    assert json.loads(run("sessions", *since, "--format", "json", url=store).stdout) == {"sessions": [], "total": 0}


def listed(*arguments: str, url: str) -> list[str]:
    """Return the ids that `sessions` lists."""
    said = run("sessions", "--format", "json", *arguments, url=url)
    assert said.exit_code == 0, said.stderr
    return [row["session_id"] for row in json.loads(said.stdout)["sessions"]]


@pytest.mark.long
def test_sessions_that_match_in_an_order(url: str) -> None:
    """By what they cost, and by what their calls were."""
    mine = ["--tag", "team=west"]
    assert listed(*mine, url=url) == ["parcel"]
    assert listed("--user", "ada", "--user", "grace", "--sort", "cost", url=url) == ["voice"]
    assert [one for one in listed("--sort", "cost", url=url) if one in ("parcel", "voice")] == ["parcel", "voice"]
    assert [one for one in listed("--sort", "oldest", url=url) if one in ("parcel", "voice")] == ["parcel", "voice"]
    assert listed("--min-cost", "0.008495", *mine, url=url) == ["parcel"]
    assert listed("--min-cost", "$0.0085", *mine, url=url) == []
    assert listed("--model", "whisper-1", "--user", "grace", url=url) == ["voice"]
    assert listed("--errors", "--user", "grace", url=url) == ["voice"]
    assert listed("--unpriced", "--user", "grace", url=url) == ["voice"]
    assert listed("--service", "shop", "--user", "ada", url=url) == ["parcel"]
    assert listed("--q", "transit", url=url) == ["parcel"]
    assert listed("--kind", "creation", url=url) == []


def test_an_amount_that_is_none(url: str) -> None:
    """What to write is said."""
    assert "--min-cost: 'much' is no amount: give dollars" in run("sessions", "--min-cost", "much", url=url).stderr


@pytest.mark.long
def test_times_are_those_of_the_zone(url: str) -> None:
    """In the list and in a session; programs get UTC."""
    assert "began (Asia/Kolkata)" in run("sessions", "--tz", "Asia/Kolkata", url=url).stdout
    said = run("session", "parcel", "--tz", "Asia/Kolkata", url=url).stdout
    assert "16:00:03" in said
    assert "16:00 Asia/Kolkata" in said
    assert "T10:30:00.000Z" in run("session", "parcel", "--tz", "Asia/Kolkata", "--format", "json", url=url).stdout


def found(*arguments: str, url: str) -> list[str]:
    """Return what `search` finds, from the newest."""
    said = run("search", "--format", "json", *arguments, url=url)
    assert said.exit_code == 0, said.stderr
    return [row["content"] for row in json.loads(said.stdout)["messages"]]


@pytest.mark.long
def test_search_in_a_session_of_a_role_or_a_scenario(url: str) -> None:
    """Narrowed before it is cut to the newest, with and without --anywhere."""
    ledger = Ledger(url)
    whose = {"otel_costs__scenario": "claims"}
    for second in range(5):
        ledger.message("s-east", at(f"17:00:0{second}"), "user", f"zebra {second}", **whose)
    ledger.message("s-west", at("16:00:00"), "assistant", "zebra 9")
    for how in ([], ["--anywhere"]):
        assert found("zebra", *how, "--session", "s-west", "--limit", "1", url=url) == ["zebra 9"]
        assert found("zebra", *how, "--role", "assistant", "--limit", "1", url=url) == ["zebra 9"]
        assert found("zebra", *how, "--scenario", "claims", "--limit", "2", url=url) == ["zebra 4", "zebra 3"]
        assert found("zebra", *how, "--scenario", "claims", "--role", "assistant", url=url) == []


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("订单", ["我的订单A-1001在哪里？"]),
        ("荷物", ["荷物はどこですか"]),
        ("ここ", []),
        ("ครับ", ["สวัสดีครับ Anna"]),
        ("anna ครับ", ["สวัสดีครับ Anna"]),
        ("berta ครับ", []),
        ("手机", ["iPhone手机"]),
        ("nna", []),
    ],
)
def test_words_of_scripts_without_spaces_are_found(url: str, words: str, expected: list[str]) -> None:
    """Inside of others, beside whole words of other scripts, and without an option."""
    where = f"scripts-{uuid.uuid4().hex[:6]}"
    for text in ("我的订单A-1001在哪里？", "荷物はどこですか", "สวัสดีครับ Anna", "iPhone手机"):
        Ledger(url).message(where, at("18:00:00"), "user", text)
    assert found(words, "--session", where, url=url) == expected
