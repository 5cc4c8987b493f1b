"""`otel-costs scenario`: the real client against the stand-in, and what the ledger says of it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from otel_costs import pricing
from otel_costs.scenarios.library import predefined
from otel_costs.stand_in import Fault, Provider

from .support import MAIN, run

Command = Callable[..., Result]

TALK = """\
name: hotline
user: trainee-1
model: gpt-4o
steps:
  - step: write
    phase: creation
    chat: {system: You write., user: Notes.}
  - step: talk
    phase: conversation
    chat:
      system: "Play this: ${write}"
      user: [Hello, And then]
"""
SPOKEN = """\
name: spoken
model: gpt-4o
steps:
  - step: hear
    model: whisper-1
    transcription: {seconds: 5}
  - step: answer
    chat: {user: "${hear}"}
  - step: say
    model: tts-1
    speech: {text: Good morning to you.}
"""


def used(tokens_in: int, tokens_out: int) -> Fault:
    """Have the next answer say that it used so much."""
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return Fault(usage=usage)


@pytest.fixture
def scenario(provider: Provider, tmp_path: Path) -> Iterator[Command]:
    """Run a scenario, by its text or its name, with the client asking the stand-in at OpenAI's prices."""
    environ = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": provider.base_url,
        "OTEL_COSTS_PROVIDERS": f"127.0.0.1:{provider.port}=openai",
    }

    def command(text: str, *options: str, more: Mapping[str, str | None] | None = None) -> Result:
        file = tmp_path / "scenario.yaml"
        file.write_text(text)
        name = str(file) if "\n" in text else text
        return run("scenario", "run", name, *options, environ={**environ, **(more or {})})

    yield command
    pricing.use(None)


def of(ran: Result) -> Any:
    return json.loads(ran.stdout)


def test_costs_are_the_ledgers(scenario: Command, provider: Provider) -> None:
    """Each call is priced to the last digit from what the answers say; steps, phases and the total add up."""
    provider.script(used(1250, 340), used(41, 7), used(103, 11))
    ran = scenario(TALK, "--format", "json")
    assert ran.exit_code == 0
    found = of(ran)
    (variant,) = found["variants"]
    (one,) = variant["runs"]
    # 2.50 and 10 dollars per million tokens.
    assert [(call["step"], call["cost_usd"]) for call in one["calls"]] == [
        ("write", "0.006525"),
        ("talk", "0.0001725"),
        ("talk", "0.0003675"),
    ]
    assert [(step["step"], step["mean_cost_usd"]) for step in variant["steps"]] == [
        ("write", "0.006525"),
        ("talk", "0.000540"),
    ]
    assert [(row["phase"], row["mean_cost_usd"]) for row in variant["phases"]] == [
        ("creation", "0.006525"),
        ("conversation", "0.000540"),
    ]
    assert (one["cost_usd"], found["cost_usd"], found["unpriced_calls"]) == ("0.007065", "0.007065", 0)
    assert one["calls"][0]["usage"]["input_tokens"] == 1250
    assert one["calls"][0]["cost_lines"] == {"input_tokens": "0.003125", "output_tokens": "0.003400"}
    assert (one["outcome"], found["user_id"], found["stand_in"], found["sent_to"]) == (
        "completed",
        "trainee-1",
        False,
        "",
    )


def test_what_was_said_goes_on(scenario: Command, provider: Provider) -> None:
    """A turn has all before it in front of it, and a quoted step is what that step answered."""
    assert scenario(TALK).exit_code == 0
    write, first, second = (request.json["messages"] for request in provider.requests)
    assert [message["role"] for message in write] == ["system", "user"]
    written = first[0]["content"].removeprefix("Play this: ")
    assert written
    assert "$" not in written
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert (second[:2], second[3]["content"]) == (first, "And then")


def test_a_conversation_is_continued(scenario: Command, provider: Provider) -> None:
    """`continues` puts an earlier step's conversation in front, `history` one that nobody paid for."""
    text = TALK.replace('system: "Play this: ${write}"', "continues: write").replace(
        "user: Notes.", "history: [{user: A}, {assistant: B}], user: 'Give me $${x}'"
    )
    assert scenario(text).exit_code == 0
    write, first, _ = (request.json["messages"] for request in provider.requests)
    assert [message["content"] for message in write] == ["You write.", "A", "B", "Give me ${x}"]
    assert first[:4] == write
    assert (first[4]["role"], first[5]["content"]) == ("assistant", "Hello")


def test_parameters_are_sent(scenario: Command, provider: Provider) -> None:
    """What a request has beside, it is sent with; also by responses."""
    text = TALK.replace("    chat: {system", "    parameters: {reasoning_effort: low}\n    chat: {system")
    text = text.replace("    chat:\n", "    parameters: {store: false}\n    responses:\n")
    ran = scenario(text, "--format", "json")
    assert ran.exit_code == 0
    assert [request.path for request in provider.requests] == [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/responses",
    ]
    assert provider.requests[0].json["reasoning_effort"] == "low"
    assert provider.requests[2].json["store"] is False
    assert [item["content"] for item in provider.requests[2].json["input"]][1] == "Hello"
    assert Decimal(of(ran)["cost_usd"]) > 0


def test_a_spoken_turn(scenario: Command) -> None:
    """Seconds of a tone, tokens and characters, each at its own price: 0.006 a minute, and 15 per million."""
    ran = scenario(SPOKEN.replace("seconds: 5", "seconds: 90"), "--format", "json")
    assert ran.exit_code == 0
    calls = of(ran)["variants"][0]["runs"][0]["calls"]
    assert [(call["operation"], call["model"]) for call in calls] == [
        ("speech_to_text", "whisper-1"),
        ("chat", "gpt-4o-2024-08-06"),
        ("text_to_speech", "tts-1"),
    ]
    assert calls[0]["usage"]["audio_seconds"] == 90
    assert calls[0]["cost_usd"] == "0.009000"
    assert calls[2]["usage"]["input_characters"] == len("Good morning to you.")
    assert calls[2]["cost_usd"] == "0.000300"


def test_a_sound_of_ones_own(scenario: Command, provider: Provider, tmp_path: Path) -> None:
    """A file beside the scenario is sent as it is, and what a step spoke is heard by another one."""
    (tmp_path / "note.mp3").write_bytes(b"\xff\xfb\x90\x64" * 3000)
    steps = SPOKEN.replace("seconds: 5", "file: note.mp3")
    steps += "  - step: again\n    model: whisper-1\n    transcription: {speech: say}\n"
    assert scenario(steps).exit_code == 0
    files = [request.files["file"][0] for request in provider.requests if "transcriptions" in request.path]
    assert (files[0].name, files[0].data) == ("note.mp3", b"\xff\xfb\x90\x64" * 3000)
    assert files[1].name == "say.mp3"
    assert len(files[1].data) > 1000


def test_many_times(scenario: Command, provider: Provider) -> None:
    """Mean, least and most of several runs, each in a session of its own; the mean is rounded to 10⁻¹²."""
    text = TALK.partition("  - step: talk")[0]
    provider.script(used(100, 10), used(200, 10), used(400, 11))
    ran = scenario(text, "--times", "3", "--format", "json")
    (variant,) = of(ran)["variants"]
    assert [one["cost_usd"] for one in variant["runs"]] == ["0.000350", "0.000600", "0.001110"]
    assert len({one["session_id"] for one in variant["runs"]}) == 3
    assert (variant["min_cost_usd"], variant["max_cost_usd"]) == ("0.000350", "0.001110")
    assert variant["mean_cost_usd"] == "0.000686666667"
    provider.script(used(100, 10), used(200, 10), used(400, 11))
    table = scenario(text, "--times", "3").stdout
    assert "233.3 in, 10.3 out" in table
    assert "$0.000687" in table
    assert "run 3 · $0.001110" in table


def test_models_are_compared(scenario: Command, provider: Provider) -> None:
    """--model asks another one for words alone, STEP=MODEL one in a step; each is told against the first."""
    asked = ("--model", "gpt-4o", "--model", "gpt-4o-mini", "--model", "say=tts-1-hd")
    provider.script(Fault(usage=used(1000, 100).usage, times=2, path="chat"))
    ran = scenario(SPOKEN, *asked)
    assert ran.exit_code == 0
    assert [request.json["model"] for request in provider.requests] == [
        "whisper-1", "gpt-4o", "tts-1-hd", "whisper-1", "gpt-4o-mini", "tts-1-hd",
    ]  # fmt: skip
    # 0.0005 for 5 s, 0.0006 for 20 characters; words for 0.0035 or 0.00021.
    rows = [line.split() for line in ran.stdout.partition("By model")[2].splitlines() if "$" in line]
    assert [(row[0], row[2], row[-2]) for row in rows] == [
        ("gpt-4o", "$0.004600", "1.00"),
        ("gpt-4o-mini", "$0.001310", "0.28"),
    ]


def test_a_row_per_step(scenario: Command, provider: Provider) -> None:
    """The table has each step's call, what it used and its exact cost, under its phase."""
    provider.script(used(1250, 340), used(41, 7), used(103, 11))
    table = scenario(TALK).stdout
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert "creation $0.006525" in lines
    assert "write chat gpt-4o-2024-08-06 1,250 in, 340 out $0.006525" in lines
    assert "talk chat gpt-4o-2024-08-06 × 2 144 in, 18 out $0.000540" in lines
    assert "total $0.007065" in lines


def test_rows_of_csv(scenario: Command, provider: Provider) -> None:
    """A row per call, exact, with whose run it was."""
    provider.script(used(1250, 340), used(41, 7), used(103, 11))
    rows = list(csv.DictReader(io.StringIO(scenario(TALK, "--model", "gpt-4o", "--format", "csv").stdout)))
    assert [(row["step"], row["phase"], row["input_tokens"], row["cost_usd"]) for row in rows] == [
        ("write", "creation", "1250", "0.006525"),
        ("talk", "conversation", "41", "0.0001725"),
        ("talk", "conversation", "103", "0.0003675"),
    ]
    assert {(row["scenario"], row["asked_model"], row["run"], row["stand_in"]) for row in rows} == {
        ("hotline", "gpt-4o", "1", "False")
    }
    assert json.loads(rows[0]["usage"])["output_tokens"] == 340


def test_past_the_budget_nothing_is_sent(scenario: Command, provider: Provider) -> None:
    """A run that has spent its budget sends no further request, no other run begins, and the exit code is 1."""
    provider.script(used(1250, 340))
    ran = scenario(TALK, "--budget-usd", "0.006525", "--times", "5", "--format", "json")
    assert ran.exit_code == 1
    assert len(provider.requests) == 1
    (one,) = of(ran)["variants"][0]["runs"]
    assert (one["outcome"], one["cost_usd"]) == ("over_budget", "0.006525")
    assert one["problem"].startswith("step talk was not sent: session 'hotline-")
    assert one["problem"].endswith("has spent $0.006525 of its budget of $0.006525")


def test_a_budget_warns_before(scenario: Command, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """At 80 % of its budget a run is warned of, once, and goes on."""
    provider.script(used(1250, 340), used(10, 1), used(10, 1))
    assert scenario(TALK, "--budget-usd", "0.008").exit_code == 0
    (warned,) = [record.getMessage() for record in caplog.records if "budget" in record.getMessage()]
    assert warned.startswith("[COST] Session hotline-")
    assert warned.endswith("has spent $0.006525 of its budget of $0.008000")


def test_a_budget_that_the_last_call_passes(scenario: Command, provider: Provider) -> None:
    """What is spent in the end counts too: to the digit is within, a digit more is over."""
    text = TALK.partition("  - step: talk")[0]
    provider.script(used(1250, 340), used(1250, 340))
    assert scenario(text, "--budget-usd", "0.006525").exit_code == 0
    over = scenario(text, "--budget-usd", "$0.006524")
    assert over.exit_code == 1
    assert "it spent $0.006525 of $0.006524" in over.stdout


def test_what_has_no_price_is_a_finding(scenario: Command) -> None:
    """A model without a price makes the total a lower bound, and the exit code 1; it is never 0 dollars."""
    ran = scenario(SPOKEN, "--model", "gpt-99")
    assert ran.exit_code == 1
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert any(line.startswith("answer chat gpt-99") and line.endswith("unpriced") for line in lines)
    assert "total ≥ $0.000800" in lines
    assert "≥ lacks what has no price" in lines


def test_an_error_of_the_provider(scenario: Command, provider: Provider) -> None:
    """It ends the run with exit code 2 and what to do; what was spent until then is shown."""
    provider.script(used(1250, 340), Fault(status=401, error={"error": {"message": "no such key"}}))
    ran = scenario(TALK, "--times", "3", "--format", "json")
    assert ran.exit_code == 2
    assert "Error: step talk: AuthenticationError: " in ran.stderr
    assert "no such key" in ran.stderr
    assert "check OPENAI_API_KEY" in ran.stderr
    (one,) = of(ran)["variants"][0]["runs"]
    assert (one["outcome"], one["cost_usd"], one["calls"][1]["error"]) == (
        "failed", "0.006525", "AuthenticationError",
    )  # fmt: skip
    assert len(provider.requests) == 2


def test_an_error_shows_no_secret(scenario: Command, provider: Provider) -> None:
    """A key that a gateway quotes, or that stands in its address, is not shown."""
    provider.script(Fault(status=403, error={"error": {"message": "sk-test may not"}}))
    refused = scenario(TALK)
    assert "… may not" in refused.stderr
    gone = scenario(TALK, more={"OPENAI_BASE_URL": "http://me:secret@127.0.0.1:9/v1"})
    assert "nobody answers at http://127.0.0.1:9/v1/; check OPENAI_BASE_URL" in gone.stderr
    assert not {"sk-test", "secret"} & set(re.findall(r"[\w-]+", refused.stderr + gone.stderr))
    assert (refused.exit_code, gone.exit_code) == (2, 2)


def test_an_openai_without_responses(scenario: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an old client does not have is told, with what to do."""
    monkeypatch.delattr("openai.OpenAI.responses")
    ran = scenario(TALK.replace("    chat:\n", "    responses:\n"))
    assert ran.exit_code == 2
    assert "step talk: this openai has no responses: pip install --upgrade openai" in ran.stderr


def test_runs_that_broke_off_are_not_averaged(scenario: Command, provider: Provider) -> None:
    """A mean is one of runs that came to their end."""
    text = TALK.replace("[Hello, And then]", "[Hello]")
    provider.script(used(100, 0), used(100, 0), used(4000, 0))
    ran = scenario(text, "--times", "3", "--budget-usd", "0.01", "--format", "json")
    (variant,) = of(ran)["variants"]
    assert ran.exit_code == 1
    assert [one["outcome"] for one in variant["runs"]] == ["completed", "over_budget"]
    assert (variant["run_count"], variant["counted_runs"], variant["mean_cost_usd"]) == (2, 1, "0.000500")


def test_nobody_to_ask(scenario: Command) -> None:
    """Without a key the command names the variable, and --stand-in; and without openai the extra."""
    ran = scenario(TALK, more={"OPENAI_API_KEY": None})
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "no OPENAI_API_KEY: set it" in ran.stderr
    assert "--stand-in" in ran.stderr
    program = (
        "import sys; sys.modules['openai'] = None; from otel_costs.cli import main\n"
        "sys.argv = ['otel-costs', 'scenario', 'run', 'support-chat']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: openai is not installed: pip install 'otel-costs[instruments]'\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget-usd", "much"), "--budget-usd is 'much': give dollars, such as 0.10"),
        (("--budget-usd", "-1"), "--budget-usd is '-1': give dollars"),
        (("--budget-usd", "inf"), "--budget-usd is 'inf': give dollars"),
        (("--model", "wrte=gpt-4o"), "no step 'wrte'; did you mean write?"),
        (("--model", "write="), "--model 'write=' names no model"),
        (("--times", "0"), "--times"),
    ],
)
def test_wrong_calls(scenario: Command, provider: Provider, options: tuple[str, ...], said: str) -> None:
    """A wrong option is told before anything is sent, with exit code 2."""
    ran = scenario(TALK, *options)
    assert (ran.exit_code, ran.stdout, provider.requests) == (2, "", [])
    assert said in ran.stderr


def test_no_step_of_words(scenario: Command, provider: Provider) -> None:
    """A model for words is refused where nobody speaks, rather than ignored."""
    ran = scenario("name: a\nsteps:\n  - step: say\n    model: tts-1\n    speech: {text: x}\n", "--model", "gpt-4o")
    assert (ran.exit_code, provider.requests) == (2, [])
    assert "give --model STEP=MODEL" in ran.stderr


def test_a_broken_price_file_is_told_first(scenario: Command, provider: Provider, tmp_path: Path) -> None:
    """Nothing is spent at prices that nobody asked for."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("version: 1\n")
    ran = scenario(TALK, more={"OTEL_COSTS_PRICES": str(prices)})
    assert (ran.exit_code, provider.requests) == (2, [])
    assert f"{prices}, line 1: currency: is missing" in ran.stderr


def test_a_switched_off_sdk_is_told(scenario: Command) -> None:
    """What nobody records is no cost of nothing: it is an error."""
    ran = scenario(TALK, more={"OTEL_SDK_DISABLED": "true"})
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "3 requests were answered and 0 recorded: is OTEL_SDK_DISABLED set?" in ran.stderr


def test_a_spool_does_not_hide_records(scenario: Command, tmp_path: Path) -> None:
    """Where applications spool their ledger, a run's own is read all the same, and nothing of it lies about."""
    ran = scenario(TALK, "--format", "json", more={"OTEL_COSTS_SPOOL": str(tmp_path / "spool")})
    assert ran.exit_code == 0
    assert len(of(ran)["variants"][0]["runs"][0]["calls"]) == 3
    assert not (tmp_path / "spool").exists()


def test_a_dry_run_sends_nothing(scenario: Command, provider: Provider) -> None:
    """Seconds and characters have a price before; tokens are unknown, and neither key nor provider is needed."""
    without = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}
    ran = scenario(SPOKEN, "--dry-run", "--format", "json", more=without)
    assert (ran.exit_code, provider.requests) == (0, [])
    (variant,) = of(ran)["variants"]
    assert [(step["step"], step["cost_usd"], step["cost_status"]) for step in variant["steps"]] == [
        ("hear", "0.000500", "priced"),
        ("answer", None, "unknown"),
        ("say", "0.000300", "priced"),
    ]
    table = scenario(SPOKEN, "--dry-run", more=without).stdout
    assert "$0.000800 + 1 step unknown" in " ".join(table.split())
    assert "Nothing was sent." in table
    rows = list(csv.DictReader(io.StringIO(scenario(SPOKEN, "--dry-run", "--format", "csv", more=without).stdout)))
    assert [row["cost_usd"] for row in rows] == ["0.000500", "", "0.000300"]


def test_a_dry_run_finds_what_has_no_price(scenario: Command) -> None:
    """A model without a price is found before anything is spent on it: exit code 1."""
    ran = scenario(SPOKEN, "--dry-run", "--model", "gpt-99", more={"OPENAI_BASE_URL": None})
    assert ran.exit_code == 1
    assert any("gpt-99" in line and "unpriced" in line for line in ran.stdout.splitlines())
    assert "OTEL_COSTS_PRICES adds others" in ran.stderr
    assert scenario(SPOKEN, "--dry-run", more={"OTEL_COSTS_PROVIDERS": None}).exit_code == 1


@pytest.mark.parametrize("name", predefined())
def test_a_predefined_scenario_runs(scenario: Command, name: str) -> None:
    """Each scenario that comes with the package can be run, and all of it has a price."""
    ran = scenario(name, "--format", "json")
    assert ran.exit_code == 0
    found = of(ran)
    (one,) = found["variants"][0]["runs"]
    assert {call["step"] for call in one["calls"]} == {step["step"] for step in found["variants"][0]["steps"]}
    assert found["unpriced_calls"] == 0
    assert sum(Decimal(call["cost_usd"]) for call in one["calls"]) == Decimal(found["cost_usd"]) > 0


def test_the_list() -> None:
    """`scenario list` shows what comes with the package, and where a copy is taken from."""
    table = run("scenario", "list")
    assert table.exit_code == 0
    listed = of(run("scenario", "list", "--format", "json"))["scenarios"]
    assert [row["scenario"] for row in listed] == list(predefined())
    for row in listed:
        assert row["scenario"] in table.stdout
        assert Path(row["file"]).is_file()
    rows = csv.DictReader(io.StringIO(run("scenario", "list", "--format", "csv").stdout))
    assert [row["scenario"] for row in rows] == list(predefined())


@pytest.mark.long
def test_the_stand_in_is_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """--stand-in needs no key, its answers are never taken for a model's, and nothing is sent to a collector."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    done = subprocess.run(
        [*MAIN, "scenario", "run", "support-chat", "--stand-in"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "A stand-in on this machine answered." in done.stdout
    assert "Nothing was spent" in " ".join(done.stdout.split())
    found = of(run("scenario", "run", "support-chat", "--stand-in", "--format", "json"))
    assert (found["stand_in"], found["sent_to"]) == (True, "")


def test_what_the_documentation_shows(scenario: Command) -> None:
    """The file of docs/scenarios.md says what stands below it there."""
    text = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
    (file,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (shown,) = re.findall(r"```\n(Scenario .*?)```", text, re.DOTALL)
    ran = scenario(file, more={"COLUMNS": "90"})
    assert ran.exit_code == 0
    assert [line.rstrip() for line in ran.stdout.splitlines()] == [*shown.splitlines(), ""]


@pytest.mark.long
def test_ctrl_c_shows_what_was_spent(provider: Provider, tmp_path: Path) -> None:
    """Who stops a run learns what it came to until then."""
    file = tmp_path / "hotline.yaml"
    file.write_text(TALK)
    gate = threading.Event()
    provider.script(used(1250, 340), Fault(gate=gate))
    environ = {
        **os.environ,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": provider.base_url,
        "OTEL_COSTS_PROVIDERS": f"127.0.0.1:{provider.port}=openai",
    }
    with subprocess.Popen(
        [*MAIN, "scenario", "run", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        while len(provider.requests) < 2 and process.poll() is None:
            gate.wait(0.02)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    gate.set()
    assert (process.returncode, errors) == (2, "Error: step talk: interrupted\n")
    assert "$0.006525" in out


PHASES = {"creation", "conversation", "transcription", "speech"}


@pytest.mark.parametrize("name", ["customer_service", "sales_training", "dei_training"])
def test_the_scenarios_of_a_training(scenario: Command, name: str) -> None:
    """Each is written, held, heard and spoken, and each of these has its cost."""
    ran = scenario(name, "--format", "json")
    assert ran.exit_code == 0
    phases = of(ran)["variants"][0]["phases"]
    assert {phase["phase"] for phase in phases} == PHASES
    assert all(Decimal(phase["mean_cost_usd"]) > 0 for phase in phases)


def test_a_text_of_ones_own(scenario: Command, provider: Provider, tmp_path: Path) -> None:
    """It is what the first request asks of, as it was written, and the results are in a file."""
    file = tmp_path / "results.json"
    text = "A bakery, ${hear} and $${prices}."
    ran = run_text(provider, "--text", text, "--name", "bakery", "--output", str(file), "--format", "json")
    assert ran.exit_code == 0, ran.stderr
    assert file.read_text() == ran.stdout
    assert (of(ran)["scenario"], {phase["phase"] for phase in of(ran)["variants"][0]["phases"]}) == ("bakery", PHASES)
    assert json.loads(provider.requests[0].body)["messages"][1] == {"role": "user", "content": text}


def run_text(provider: Provider, *options: str) -> Result:
    """Run `scenario run` without a name, with the client asking the stand-in at OpenAI's prices."""
    environ = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": provider.base_url,
        "OTEL_COSTS_PROVIDERS": f"127.0.0.1:{provider.port}=openai",
    }
    return run("scenario", "run", *options, environ=environ)


def test_a_text_that_is_none(provider: Provider) -> None:
    """What is wrong is said, and nothing is asked."""
    for options, said in (
        ([], "give the name of a scenario, a file, or --text"),
        (["support-chat", "--text", "x"], "give the name of a scenario, a file, or --text"),
        (["--text", " "], "the text is empty"),
        (["--text", "x", "--name", "a b"], "'a b' is no name"),
        (["support-chat", "--name", "x"], "--name is for --text alone"),
    ):
        ran = run_text(provider, *options)
        assert ran.exit_code == 2
        assert said in ran.stderr
    assert provider.requests == []


def test_in_python(tmp_path: Path) -> None:
    """A scenario or a text is run by a function, which is loaded when it is asked for; the results are a file too."""
    program = (
        "import sys, decimal, otel_costs\n"
        "assert not {name for name in sys.modules if name.startswith(('otel_costs.scenarios', 'openai'))}\n"
        "found = otel_costs.scenarios.run(text='A bakery.', name='bakery', stand_in=True, output=sys.argv[1])\n"
        "assert isinstance(found['cost_usd'], decimal.Decimal)\n"
        "known = otel_costs.scenarios.run('sales_training', stand_in=True, times=2)\n"
        "print(found['scenario'], found['cost_usd'] > 0, known['variants'][0]['run_count'])\n"
        "try: otel_costs.scenarios.run('sales-trainin')\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    file = tmp_path / "results.json"
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["bakery True 2", "UnknownScenarioError"], done.stderr
    assert json.loads(file.read_text())["scenario"] == "bakery"
