"""What it costs to read messages, to give them identities and to make their records.

In microseconds, and as a ratio to `json.dumps` of the request: the SDK does that anyway, so that the ratio tells on any
machine how much is added to it. A case that is "known" was sent before; all others say something new each time.
"""

import base64
import itertools
import json
import os
import sys
import timeit
from collections.abc import Callable, Mapping
from typing import Any

from otel_costs import messages
from otel_costs.messages import content
from otel_costs.messages.content import Capture
from otel_costs.providers.openai import messages as openai_messages

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
ANSWER: dict[str, Any] = {"role": "assistant", "content": "It is sunny in Paris.", "refusal": None, "annotations": []}
_numbers = itertools.count()


def chat(text: str) -> dict[str, Any]:
    return {"messages": [SYSTEM, {"role": "user", "content": text}]}


def history(length: int) -> dict[str, Any]:
    talk = [
        {"role": ("user", "assistant")[i % 2], "content": f"message number {i} of a talk"} for i in range(length - 1)
    ]
    return {"messages": [SYSTEM, *talk]}


def tool_call(arguments: str) -> dict[str, Any]:
    call = {
        "id": "call_abcdefghijklmnopqrstuvwx",
        "type": "function",
        "function": {"name": "f", "arguments": arguments},
    }
    return {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}


def image(raw: bytes) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


def identified(body: Mapping[str, Any], session: str = "session") -> list[messages.Message]:
    """Read and identify a request and an answer, as a call does."""
    asked, prefix = messages.identify(session, openai_messages.read_request("chat", body))
    answer = {"choices": [{"message": ANSWER, "finish_reason": "stop"}]}
    for drafts in openai_messages.read_response("chat", answer):
        asked += messages.identify(session, drafts, index=len(asked), prefix=prefix)[0]
    return asked


def recorded(body: Mapping[str, Any], *, with_content: bool) -> None:
    """Do the same in a session of its own, and make every record."""
    for message in identified(body, f"session {next(_numbers)}"):
        messages.record(message, with_content=with_content)


def best_us(work: Callable[[], object]) -> float:
    """Return the best of seven runs, in microseconds for one."""
    timer = timeit.Timer(work)
    number = max(1, int(0.05 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(7, number)) / number * 1e6


def main() -> None:
    """Print a row of the table for each case."""
    mega = 10_000_000
    words = ("The quick brown fox jumps over the lazy dog. " * (mega // 45))[:mega]
    pairs: list[tuple[str, dict[str, Any], Callable[[dict[str, Any]], object]]] = [
        ("2 messages, known", chat("What is the weather?"), identified),
        ("2 messages, new session", chat("What is the weather?"), lambda body: identified(body, str(next(_numbers)))),
        ("50 messages, known", history(50), identified),
    ]
    for capture in (Capture.NO_CONTENT, Capture.EVENT_ONLY):
        on = capture is Capture.EVENT_ONLY

        def record(body: dict[str, Any], on: bool = on) -> None:
            recorded(body, with_content=on)

        name = "content on" if on else "content off"
        pairs += [
            (f"2 messages, recorded, {name}", chat("What is the weather?"), record),
            (f"50 messages, recorded, {name}", history(50), record),
            (f"10 MB of words, {name}", chat(words), record),
            (f"10 MB of one letter, {name}", chat("x" * mega), record),
            (f"10 MB of Chinese, {name}", chat("中文" * (mega // 6)), record),
            (f"10 MB of arguments, {name}", tool_call(json.dumps({"text": words})), record),
            (
                f"10 MB of base64 in arguments, {name}",
                tool_call(json.dumps({"a": base64.b64encode(os.urandom(mega * 3 // 4)).decode()})),
                record,
            ),
            (f"1 MiB image, {name}", image(os.urandom(1 << 20)), record),
            (f"6 MB image, {name}", image(os.urandom(6_000_000)), record),
        ]
    sys.stdout.write("| case | us | of json.dumps |\n|---|---|---|\n")
    for name, body, work in pairs:
        content.configure(Capture.EVENT_ONLY if name.endswith("content on") else Capture.NO_CONTENT)
        spent, dumped = best_us(lambda body=body, work=work: work(body)), best_us(lambda body=body: json.dumps(body))  # type: ignore[misc]
        sys.stdout.write(f"| {name} | {spent:,.0f} | {spent / dumped:.2f} |\n")


if __name__ == "__main__":
    main()
