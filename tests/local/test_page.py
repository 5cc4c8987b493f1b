"""The report page: complete in itself, and harmless whatever a model wrote."""

import base64
import hashlib
import os
import re
import subprocess
import uuid
from urllib.parse import quote

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_costs.local import Stack
from tests.support.browser import program

from .support import LATELY_NS, Answer, export_logs, key_values, ledger_record, send

EVIL = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"


def page(stack: Stack) -> Answer:
    answer = send(f"{stack.http_url}/", headers={"Accept": "text/html,*/*"})
    assert answer.status == 200
    return answer


def test_nothing_comes_from_elsewhere(stack: Stack) -> None:
    """The page needs no other host: it names none, and its policy lets it speak to its own alone."""
    answer = page(stack)
    assert not re.search(r"(https?:)?//\w", re.sub(r"^\s*//.*$", "", answer.text, flags=re.MULTILINE))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("kind", ["script", "style"])
def test_the_policy_names_what_is_in_the_page(stack: Stack, kind: str) -> None:
    """The hash in the policy is that of the page's own script and style: nothing else may run."""
    answer = page(stack)
    inline = answer.text.partition(f"<{kind}>")[2].partition(f"</{kind}>")[0]
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert f"{kind}-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_the_script_makes_no_markup(stack: Stack) -> None:
    """Text becomes text nodes: the ways to turn it into markup or code are not in the script."""
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in page(stack).text


def chromium(url: str) -> str:
    """Open `url` in a real browser and return the page as it stands then."""
    found = program("chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run([found, *options, url], capture_output=True, text=True, timeout=100, env=os.environ)
    return done.stdout


def test_html_of_a_model_is_inert(stack: Stack) -> None:
    """In a real browser a conversation shows a model's HTML as text, beside the lines of its cost, and runs none."""
    session = f'{uuid.uuid4().hex}/<b>"it\'s"</b>'
    attributes = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": uuid.uuid4().hex,
        "otel_costs.message.role": "assistant",
        "otel_costs.message.type": "text",
        "session.id": session,
    }
    said = LogRecord(time_unix_nano=LATELY_NS, event_name="otel_costs.message", attributes=key_values(attributes))
    said.body.string_value = EVIL
    answer = export_logs(stack.otlp_http_url, [said, ledger_record(session, more={"gen_ai.response.model": EVIL})])
    assert answer.status == 200
    shown = chromium(f"{stack.http_url}/#/session/{quote(session, safe='')}")
    assert "<title>otel-costs</title>" in shown
    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=") == 2
    assert "$0.003750" in shown
    assert "$0.011750" in shown
    assert "user-1" in chromium(f"{stack.http_url}/#/costs")


def test_speech_that_was_interrupted(stack: Stack) -> None:
    """A spoken message says how long it was and that it was interrupted, not that its text was cut."""
    session = uuid.uuid4().hex
    attributes = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": uuid.uuid4().hex,
        "otel_costs.message.role": "assistant",
        "otel_costs.message.type": "audio",
        "otel_costs.message.audio_seconds": "0.6",
        "otel_costs.message.interrupted": "turn_detected",
        "otel_costs.message.truncated": "true",
        "session.id": session,
    }
    said = LogRecord(time_unix_nano=LATELY_NS, event_name="otel_costs.message", attributes=key_values(attributes))
    said.body.string_value = "Your parcel is"
    assert export_logs(stack.otlp_http_url, [said]).status == 200
    shown = chromium(f"{stack.http_url}/#/session/{session}")
    assert "assistant · audio 0.6 s, interrupted · " in shown
    assert ">cut: " not in shown
