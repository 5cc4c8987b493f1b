"""The command `reconcile`, over a real store and a stand-in for OpenAI's administration API."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import openai
import pytest
from click.testing import Result
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from otel_costs import CostsInstrumentor
from otel_costs.local import Stack
from otel_costs.stand_in import Fault, tokens
from tests.support import loopback
from tests.support.organization import ADMIN_KEY, Organization, midnight
from tests.support.recorded import wait_for_records

from .support import Ledger, run

_days = count(3)


@pytest.fixture(scope="module")
def stack(emptied_stack: Stack) -> Stack:
    """Return a store that records can be sent to."""
    return emptied_stack


@pytest.fixture
def organization() -> Iterator[Organization]:
    """Run the stand-in; a bug of its own fails the test."""
    with Organization() as running:
        yield running
    assert running.errors == []


class Case:
    """A day of its own, on both sides."""

    def __init__(self, stack: Stack, organization: Organization) -> None:
        self.url, self.organization = stack.http_url, organization
        self.day = midnight(next(_days))
        self.noon = self.day + timedelta(hours=12)

    def recorded(self, at: datetime | None = None, usd: str | None = None, **attributes: Any) -> None:
        """Record a call here."""
        own = ("gen_ai__", "otel_costs__", "error__")
        named = {name if name.startswith(own) else f"gen_ai__usage__{name}": each for name, each in attributes.items()}
        priced = {"otel_costs__cost__usd": usd} if usd else {"otel_costs__cost__status": "unpriced"}
        Ledger(self.url).call("s", at or self.noon, **priced, **named)

    def reported(self, kind: str = "completions", model: str | None = "gpt-4o-2024-08-06", **used: Any) -> None:
        """Have the organization report usage."""
        self.organization.ledger.use(kind, model, used.pop("at", self.noon), **used)

    def billed(self, item: str | None, usd: str, **rest: Any) -> None:
        """Have the organization report a cost."""
        self.organization.ledger.charge(item, usd, rest.pop("at", self.noon), **rest)

    def run(self, *arguments: str, key: str = ADMIN_KEY, url: str | None = None) -> Result:
        """Run the command over the day, and see that the key is nowhere."""
        day = f"{self.day:%Y-%m-%d}"
        days = () if "--from" in arguments else ("--from", day, "--to", day)
        where = () if "--base-url" in arguments else ("--base-url", self.organization.base_url)
        # A gateway's address is not where the key goes.
        environ = {"OPENAI_ADMIN_KEY": key, "OPENAI_BASE_URL": "http://127.0.0.1:9"}
        said = run("reconcile", *days, *where, *arguments, url=url or self.url, environ=environ)
        assert said.exception is None or isinstance(said.exception, SystemExit)
        assert not key or key not in said.output
        return said

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run the command and return what it says as JSON."""
        said = self.run(*arguments, "--format", "json")
        found: dict[str, Any] = json.loads(said.stdout)
        assert said.exit_code == (1 if found["findings"] else 0)
        return found

    def states(self, *arguments: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the states of usage by model, and of costs by day."""
        found = self.json(*arguments)
        return ({row["model"]: row["state"] for row in found["usage"]}, {r["day"]: r["state"] for r in found["costs"]})

    @property
    def usage(self) -> dict[str, str]:
        return self.states()[0]


@pytest.fixture
def case(stack: Stack, organization: Organization) -> Case:
    """Return a day without anything in it."""
    return Case(stack, organization)


def _agree(case: Case) -> None:
    """Enter the same call on both sides."""
    case.recorded(input_tokens=1000, cache_read__input_tokens=400, output_tokens=200, usd="0.004")
    case.reported(input_tokens=1000, input_cached_tokens=400, output_tokens=200)
    case.billed("gpt-4o-2024-08-06, input", "0.0015")
    case.billed("gpt-4o-2024-08-06, cached input", "0.0005")
    case.billed("gpt-4o-2024-08-06, output", "0.002")


def test_all_is_well(case: Case) -> None:
    """Sides that agree to the last token and digit are told in a line each, with exit code 0."""
    _agree(case)
    said = case.run("--tolerance", "0")
    assert (said.exit_code, said.stderr) == (0, "")
    assert "all is well: 1 day, usage and costs agree within 0 %" in said.stdout
    assert said.stdout.count("agrees") == 2
    assert "cached" not in said.stdout


@pytest.mark.parametrize("as_text", [True, False])
def test_figures_as_json(case: Case, as_text: bool) -> None:
    """Every figure stands beside ours, money exact, however the amounts are written."""
    case.organization.ledger.amounts_as_text = as_text
    _agree(case)
    found = case.json("--tolerance", "0")
    day = f"{case.day:%Y-%m-%d}"
    assert (found["findings"], found["tolerance"], found["missing_calls"], found["unavailable"]) == (0, "0", 0, [])
    (usage,), (costs,) = found["usage"], found["costs"]
    assert (usage["day"], usage["model"], usage["state"]) == (day, "gpt-4o-2024-08-06", "agrees")
    assert usage["figures"]["input_tokens"] == {"theirs": 1000, "ours": 1000, "difference": 0}
    assert usage["figures"]["cache_read_tokens"] == {"theirs": 400, "ours": 400, "difference": 0}
    assert usage["figures"]["requests"] == {"theirs": 1, "ours": 1, "difference": 0}
    item = {"item": "gpt-4o-2024-08-06", "theirs_usd": "0.004000", "ours_usd": "0.004000"}
    assert costs == {
        "day": day,
        "state": "agrees",
        "theirs_usd": "0.004000",
        "ours_usd": "0.004000",
        "difference_usd": "0",
        "unpriced_calls": 0,
        "items": [item],
    }


def test_money_is_exact(case: Case) -> None:
    """Ten cents ten times are a dollar, where floats would say something else."""
    case.organization.ledger.amounts_as_text = False
    for number in range(10):
        case.billed(f"gpt-4o-2024-08-06, part {number}", "0.1")
    case.recorded(usd="1")
    (costs,) = case.json("--tolerance", "0")["costs"]
    assert (costs["theirs_usd"], costs["state"]) == ("1.000000", "agrees")


def test_calls_that_were_not_recorded(case: Case) -> None:
    """More there than here is a finding with every figure of it, and says where to look; the costs follow from it."""
    _agree(case)
    case.reported(input_tokens=300, output_tokens=20)
    case.billed("gpt-4o-2024-08-06, input", "0.00095")
    said = case.run()
    assert said.exit_code == 1
    lines = [line.split() for line in said.stdout.splitlines()]
    assert ["input", "1,300", "1,000", "+300"] in lines
    assert ["output", "220", "200", "+20"] in lines
    assert ["cached", "input", "400", "400", "0"] in lines
    assert "audio" not in said.stdout
    assert "not recorded: more is reported than was recorded" in said.stdout
    assert "usage differs: " in said.stdout
    assert "2 findings: not within 0.50 %" in said.stdout


def test_what_one_side_alone_has(case: Case) -> None:
    """A model that is only there, and one that is only here, are both shown and both findings."""
    case.reported(model="gpt-5-2025-08-07", input_tokens=10, output_tokens=1)
    case.recorded(input_tokens=7, gen_ai__response__model="o3-2025-04-16", usd="0.1")
    case.billed("gpt-5-2025-08-07, input", "0.2")
    found = case.json()
    states = {row["model"]: row["state"] for row in found["usage"]}
    assert states == {"gpt-5-2025-08-07": "not_recorded", "o3-2025-04-16": "not_reported"}
    (costs,) = found["costs"]
    assert costs["items"] == [
        {"item": "gpt-5-2025-08-07, input", "theirs_usd": "0.200000", "ours_usd": None},
        {"item": "o3-2025-04-16", "theirs_usd": None, "ours_usd": "0.100000"},
    ]
    table = case.run().stdout
    assert "gpt-5-2025-08-07" in table
    assert "o3-2025-04-16" in table


@pytest.mark.long
def test_a_model_without_a_name(case: Case) -> None:
    """Usage and costs that name no model and no line item are compared as such, and shown."""
    case.reported(model=None, input_tokens=10)
    case.billed(None, "0.5")
    assert case.usage == {"": "not_recorded"}
    assert case.run().stdout.count("(none)") == 2


@pytest.mark.long
def test_an_alias_is_the_snapshot_that_answered(case: Case) -> None:
    """What we have under the name that was asked for is found under the dated name that is reported."""
    case.recorded(input_tokens=10, gen_ai__response__model="gpt-4o", usd="0.5")
    case.recorded(input_tokens=5, usd="0.25")
    case.reported(input_tokens=15, requests=2)
    case.billed("gpt-4o-2024-08-06, input", "0.75")
    found = case.json("--tolerance", "0")
    (usage,), (costs,) = found["usage"], found["costs"]
    assert (usage["model"], usage["recorded_as"], usage["state"]) == ("gpt-4o-2024-08-06", ["gpt-4o"], "agrees")
    assert costs["items"] == [{"item": "gpt-4o-2024-08-06", "theirs_usd": "0.750000", "ours_usd": "0.750000"}]


@pytest.mark.long
def test_tolerance(case: Case) -> None:
    """A difference of half a percent is none, unless it is asked for exactly."""
    case.recorded(input_tokens=995, usd="0.995")
    case.reported(input_tokens=1000)
    case.billed("gpt-4o-2024-08-06, input", "1")
    assert case.run().exit_code == 0
    assert case.run("--tolerance", "0.4").exit_code == 1
    assert case.run("--tolerance", "0.4%").exit_code == 1


@pytest.mark.long
def test_the_current_day_comes_late(case: Case) -> None:
    """What is not reported yet today is said to be late, and is no finding; what is reported and not recorded is."""
    case.day = midnight(0)
    case.noon = datetime.now(UTC)
    case.recorded(input_tokens=10, gen_ai__response__model="late-1", usd="0.5")
    options = ("--from", f"{case.day:%Y-%m-%d}", "--to", f"{datetime.now(UTC):%Y-%m-%d}", "--service", "shop")
    said = case.run(*options)
    assert said.exit_code == 0
    assert "late: not all of the day is reported yet" in said.stdout
    case.reported(model="early-1", input_tokens=10)
    usage, _ = case.states(*options)
    assert usage == {"early-1": "not_recorded", "late-1": "late"}


@pytest.mark.long
def test_the_same_usage_at_another_price(case: Case) -> None:
    """Where only the money differs, prices are named, and what is billed beside calls is seen among the items."""
    _agree(case)
    case.billed("web search tool calls", "0.25")
    usage, costs = case.states()
    assert set(usage.values()) == {"agrees"}
    assert set(costs.values()) == {"billed_otherwise"}
    said = case.run().stdout
    assert "otel-costs reprice" in " ".join(said.split())
    (line,) = [line.split() for line in said.splitlines() if "web search" in line]
    assert line == ["web", "search", "tool", "calls", "$0.250000", "–", "+$0.250000"]


@pytest.mark.long
def test_calls_without_a_price_are_counted(case: Case) -> None:
    """A sum that misses calls says how many."""
    case.recorded(input_tokens=1)
    case.reported(input_tokens=1)
    case.billed("gpt-4o-2024-08-06, input", "0.01")
    assert case.json()["costs"][0]["unpriced_calls"] == 1
    assert "$0 + 1 unpriced" in case.run().stdout


def test_one_project_and_one_key(case: Case) -> None:
    """Only what the project and the key used is asked for, of usage and of costs."""
    _agree(case)
    case.reported(input_tokens=5, project_id="proj_two")
    case.reported(input_tokens=7, api_key_id="key_two")
    case.billed("gpt-4o-2024-08-06, input", "3", project_id="proj_two")
    assert case.run().exit_code == 1
    assert case.run("--project", "proj_one", "--api-key-id", "key_one").exit_code == 0


@pytest.mark.long
def test_one_service(case: Case) -> None:
    """Only what the programs recorded that are asked for is compared."""
    _agree(case)
    assert case.run("--service", "shop").exit_code == 0
    found = case.json("--service", "other")
    assert [row["state"] for row in found["usage"]] == ["not_recorded"]


@pytest.mark.long
def test_units_of_speech_and_images(case: Case) -> None:
    """Characters, seconds, images and tokens of audio are compared in the unit that both sides state."""
    case.reported("audio_speeches", "tts-1", characters=120)
    case.recorded(
        gen_ai__operation__name="text_to_speech", gen_ai__response__model="tts-1",
        otel_costs__usage__input_characters=120, usd="0.0018",
    )  # fmt: skip
    case.reported("audio_transcriptions", "whisper-1", seconds=31, requests=2)
    for seconds in ("14.6", "15.9"):
        case.recorded(
            gen_ai__operation__name="speech_to_text", gen_ai__response__model="whisper-1",
            otel_costs__usage__audio_seconds=seconds, usd="0.0015",
        )  # fmt: skip
    case.reported("audio_transcriptions", "gpt-4o-transcribe", seconds=20)
    case.recorded(
        gen_ai__operation__name="speech_to_text", gen_ai__response__model="gpt-4o-transcribe",
        input_tokens=200, gen_ai__usage__audio__input_tokens=200, output_tokens=15, usd="0.001",
    )  # fmt: skip
    case.reported("images", "dall-e-3", images=2, requests=1)
    case.recorded(gen_ai__response__model="dall-e-3", otel_costs__usage__images=2, usd="0.08")
    # The newer description counts uncached audio, and states what was cached beside it.
    case.reported(
        model="gpt-realtime", input_tokens=900, input_audio_tokens=500, input_cached_audio_tokens=100,
        input_cached_tokens=300, output_tokens=80, output_audio_tokens=60,
    )  # fmt: skip
    case.recorded(
        gen_ai__response__model="gpt-realtime", input_tokens=900, cache_read__input_tokens=300, output_tokens=80,
        gen_ai__usage__audio__input_tokens=600, gen_ai__usage__audio__output_tokens=60, usd="0.02",
    )  # fmt: skip
    usage = case.json("--tolerance", "0")["usage"]
    assert {row["model"]: row["state"] for row in usage} == dict.fromkeys(
        ("tts-1", "whisper-1", "gpt-4o-transcribe", "dall-e-3", "gpt-realtime"), "agrees"
    )
    figures = {row["model"]: row["figures"] for row in usage}
    assert figures["whisper-1"]["audio_seconds"] == {"theirs": 31, "ours": 30.5, "difference": 0.5}
    assert figures["gpt-4o-transcribe"]["audio_seconds"] == {"theirs": 20, "ours": None, "difference": None}
    assert figures["gpt-realtime"]["input_audio_tokens"] == {"theirs": 600, "ours": 600, "difference": 0}


@pytest.mark.long
def test_what_is_no_request_there(case: Case) -> None:
    """A refused call, a video and a moderation are no usage of a model there, and a batch is many requests."""
    case.recorded(
        error__type="RateLimitError", otel_costs__cost__reason="request_refused", gen_ai__response__model="None",
        gen_ai__request__model="gpt-4o", usd="0",
    )  # fmt: skip
    case.recorded(gen_ai__operation__name="video_generation", gen_ai__response__model="sora-2", usd="0.8")
    case.recorded(gen_ai__operation__name="moderation", gen_ai__response__model="omni-moderation-latest", usd="0")
    case.recorded(gen_ai__operation__name="batch", input_tokens=5000, usd="0.00625")
    case.reported(input_tokens=5000, requests=40)
    case.billed("gpt-4o-2024-08-06 batch, input", "0.00625")
    case.billed("sora-2, 720p", "0.8")
    found = case.json("--tolerance", "0")
    (usage,), (costs,) = found["usage"], found["costs"]
    assert (usage["model"], usage["state"]) == ("gpt-4o-2024-08-06", "agrees")
    assert usage["figures"]["requests"] == {"theirs": 40, "ours": 0, "difference": None}
    assert (costs["state"], costs["theirs_usd"]) == ("agrees", "0.806250")


def test_csv_adds_up(case: Case) -> None:
    """The items of a day add up to its costs, on each side."""
    _agree(case)
    case.billed("web search tool calls", "0.25")
    rows = list(csv.DictReader(io.StringIO(case.run("--format", "csv").stdout)))
    by: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by.setdefault(row["by"], []).append(row)
    (day,) = by["costs"]
    for side in ("theirs_usd", "ours_usd", "difference_usd"):
        assert sum(Decimal(row[side] or "0") for row in by["item"]) == Decimal(day[side])
    assert {row["unit"]: (row["theirs"], row["ours"], row["state"]) for row in by["usage"]}["output_tokens"] == (
        "200", "200", "agrees",
    )  # fmt: skip


def test_days_without_anything(case: Case) -> None:
    """Nothing on either side is no finding, and is said."""
    said = case.run()
    assert (said.exit_code, said.stdout) == (0, "neither side has anything in these days\n")


def test_without_days_the_seven_before_today(case: Case) -> None:
    """A call that names no days asks for whole ones, up to yesterday."""
    environ = {"OPENAI_ADMIN_KEY": ADMIN_KEY}
    said = run("reconcile", "--base-url", case.organization.base_url, "--format", "json", url=case.url, environ=environ)
    found = json.loads(said.stdout)
    assert (found["since"], found["until"]) == (
        f"{midnight(7):%Y-%m-%d}T00:00:00.000Z",
        f"{midnight(0):%Y-%m-%d}T00:00:00.000Z",
    )


def test_no_key(case: Case) -> None:
    """Which key is needed, and where it comes from; nobody is asked anything."""
    said = case.run(key="")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "set OPENAI_ADMIN_KEY to an admin key" in said.stderr
    assert "https://platform.openai.com/settings/organization/admin-keys" in said.stderr
    assert case.organization.requests == []


@pytest.mark.parametrize(("key", "status"), [("sk-proj-none-of-an-admin", 403), ("sk-admin-mistyped", 401)])
def test_a_key_that_may_not(case: Case, key: str, status: int) -> None:
    """A project's key and a wrong one are told as such, without the key that the provider repeats."""
    said = case.run(key=key)
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"refused the key (HTTP {status}): set OPENAI_ADMIN_KEY" in said.stderr


def test_what_the_provider_says(case: Case) -> None:
    """Its own words are told where ours do not say it better, without the key and without what a terminal would do."""
    error = {"error": {"message": f"\x1b[2JNo such project for {ADMIN_KEY}."}}
    case.organization.script(Fault(status=400, error=error))
    said = case.run("--project", "proj_none")
    assert said.exit_code == 2
    assert "answered HTTP 400: ␛[2JNo such project for ***. (organization/usage/completions)" in said.stderr


@pytest.mark.parametrize("key", ["sk-admin\nX-Other: 1", "sk-ädmin", "sk admin"])
def test_a_key_that_is_none(case: Case, key: str) -> None:
    """What cannot stand in a header is refused without being quoted, and nobody is asked anything."""
    said = case.run(key=key)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "characters that no key has" in said.stderr
    assert case.organization.requests == []


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusal_that_passes(case: Case, status: int) -> None:
    """A limit or an error of a moment is waited for."""
    _agree(case)
    case.organization.script(Fault(status=status, times=4, headers={"retry-after": "0"}, path="/costs"))
    assert case.run().exit_code == 0


@pytest.mark.parametrize(("status", "said"), [(429, "try again in some minutes"), (503, "try again later")])
def test_a_refusal_that_stays(case: Case, status: int, said: str) -> None:
    """After five tries it is told, and what to do."""
    case.organization.script(Fault(status=status, times=9, headers={"retry-after": "0"}))
    found = case.run()
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"HTTP {status}" in found.stderr
    assert said in found.stderr
    assert len(case.organization.requests) == 5


@pytest.mark.some(4)
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"[]",
        b'{"data": {}}',
        b'{"data": [{"start_time": "x", "results": []}]}',
        b'{"data": [7]}',
        b'{"data": [{"start_time": NaN, "results": []}]}',
        b'{"data": [{"start_time": 1e400, "results": []}]}',
    ],
)
def test_an_answer_that_is_none(case: Case, body: bytes) -> None:
    """Something else than a report is told as such, not taken for nothing."""
    case.organization.script(Fault(status=200, error=body, times=9))
    said = case.run()
    assert (said.exit_code, said.stdout) == (2, "")
    assert "127.0.0.1" in said.stderr
    assert "organization/usage/completions" in said.stderr


@pytest.mark.parametrize("value", ["true", '"many"', "[]", '"1e999999"', '"NaN"'])
def test_an_amount_that_is_none(case: Case, value: str) -> None:
    """An amount that is no number is an error, not nothing."""
    start = int(case.day.timestamp())
    result = f'{{"line_item": "x", "amount": {{"value": {value}, "currency": "usd"}}}}'
    body = f'{{"data": [{{"start_time": {start}, "results": [{result}]}}]}}'
    case.organization.script(Fault(status=200, error=body.encode(), path="/costs"))
    said = case.run()
    assert said.exit_code == 2
    assert "results of another shape" in said.stderr


def test_costs_in_another_currency(case: Case) -> None:
    """Euros are not taken for dollars."""
    start = int(case.day.timestamp())
    result = '{"line_item": "x", "amount": {"value": 1, "currency": "eur"}}'
    body = f'{{"data": [{{"start_time": {start}, "results": [{result}]}}]}}'
    case.organization.script(Fault(status=200, error=body.encode(), path="/costs"))
    found = case.json()
    assert [row["state"] for row in found["costs"]] == ["another_currency"]
    assert found["costs"][0]["foreign"] == {"EUR": "1.000000"}


def test_a_report_that_is_not_there(case: Case) -> None:
    """A kind of usage that the organization does not have is said; without costs there is nothing to compare."""
    _agree(case)
    case.organization.script(Fault(status=404, path="/decisions"))
    said = case.run()
    assert said.exit_code == 0
    assert "not reported there: organization/usage/decisions" in said.stdout
    case.organization.script(Fault(status=404, path="/costs"))
    said = case.run()
    assert said.exit_code == 2
    assert "--base-url https://api.openai.com/v1" in said.stderr


def test_a_redirect_does_not_get_the_key(case: Case) -> None:
    """An answer that points elsewhere is an error; nothing is sent there."""
    elsewhere = f"{case.organization.root}/elsewhere"
    case.organization.script(Fault(status=302, error={}, headers={"location": elsewhere}))
    said = case.run()
    assert said.exit_code == 2
    assert [request.path for request in case.organization.requests] == ["/v1/organization/usage/completions"]


def test_nobody_answers(case: Case) -> None:
    """A provider that is not there is told with its address."""
    said = case.run("--base-url", "http://127.0.0.1:9/v1")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no answer from 127.0.0.1:9" in said.stderr


def test_no_store(case: Case) -> None:
    """A store that is not there is told before the provider is asked."""
    said = case.run(url="http://127.0.0.1:9")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no store answers at http://127.0.0.1:9" in said.stderr
    assert case.organization.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2026-11-01T10:00"), "whole days"),
        (("--from", "2026-11-22", "--to", "2026-11-01"), "give the earlier one first"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "no day from 2026-11-22 up to 2026-11-21"),
        (("--tolerance", "much"), "no tolerance"),
        (("--tolerance", "NaN"), "no tolerance"),
        (("--tolerance", "-1"), "no tolerance"),
        (("--base-url", "http://llm.acme.example/v1"), "over https alone"),
        (("--base-url", "ftp://127.0.0.1"), "no address"),
    ],
)
def test_wrong_calls(case: Case, options: tuple[str, ...], said: str) -> None:
    """What cannot be asked is told before anybody is."""
    found = case.run(*options)
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr.replace("\n", " ")
    assert case.organization.requests == []


def test_what_was_called_is_what_is_reported(case: Case, stack: Stack) -> None:
    """Calls of OpenAI's client, recorded by the instrumentation and metered by the provider, agree exactly; one that
    was not instrumented is found, with its tokens and its costs."""
    exporter = OTLPLogExporter(endpoint=f"{stack.otlp_http_url}/v1/logs")
    provider = LoggerProvider(Resource.create({"service.name": "caller"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    began = datetime.now(UTC)
    CostsInstrumentor().instrument(logger_provider=provider)
    try:
        with _client(case) as client:
            _call(client)
        wait_for_records()
    finally:
        CostsInstrumentor().uninstrument()
        provider.shutdown()
    days = ("--from", f"{began:%Y-%m-%d}", "--to", f"{datetime.now(UTC):%Y-%m-%d}", "--service", "caller")
    found = case.json(*days, "--tolerance", "0")
    assert {row["model"]: row["state"] for row in found["usage"]} == dict.fromkeys(
        ("gpt-4o-2024-08-06", "text-embedding-3-small", "tts-1", "whisper-1"), "agrees"
    )
    assert {row["state"] for row in found["costs"]} == {"agrees"}
    assert sum(Decimal(row["theirs_usd"]) for row in found["costs"]) > 0

    with _client(case) as client:
        _ask(client, "Who has forgotten to instrument this?")
    found = case.json(*days, "--tolerance", "0")
    (row,) = [row for row in found["usage"] if row["state"] != "agrees"]
    assert (row["model"], row["state"]) == ("gpt-4o-2024-08-06", "not_recorded")
    assert row["figures"]["requests"]["difference"] == 1
    assert row["figures"]["input_tokens"]["difference"] > 0
    assert {row["state"] for row in found["costs"]} == {"usage_differs"}


def _client(case: Case) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-none", http_client=loopback.http_client(case.organization))


def _ask(client: openai.OpenAI, question: str) -> None:
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])


def _call(client: openai.OpenAI) -> None:
    _ask(client, "Where is my order A-1001?")
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "And the other one?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    assert list(stream)
    client.embeddings.create(model="text-embedding-3-small", input="a parcel")
    client.audio.speech.create(model="tts-1", voice="alloy", input="It is in transit.").read()
    sound = ("question.wav", tokens.wav(2.4))
    client.audio.transcriptions.create(model="whisper-1", file=sound)
