"""A canary: a word that nobody else writes, and a look for it in every file."""

import base64
from collections.abc import Iterator
from pathlib import Path

WORD = "canary5d1fxq"

PROGRAM = f"""
import openai, otel_costs
client = openai.OpenAI()
tools = [{{"type": "function", "function": {{"name": "lookup", "parameters": {{"type": "object"}}}}}}]
with otel_costs.session("sealed-1", user="ada"):
    first = client.chat.completions.create(
        model="gpt-4o", messages=[{{"role": "user", "content": "my {WORD} question"}}], tools=tools
    )
    client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {{"role": "system", "content": "{WORD} be kind"}},
            {{"role": "user", "content": "my {WORD} question"}},
            first.choices[0].message,
            {{"role": "tool", "tool_call_id": "call_1", "content": "{WORD} result"}},
        ],
    )
print("asked", flush=True)
"""
"""A conversation with the word in everything that is said, a function called in it."""

ANSWER = {
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "lookup", "arguments": f'{{"order": "{WORD}"}}'},
                    }
                ],
            },
        }
    ]
}
"""What the provider answers first."""


def found(*folders: Path) -> list[Path]:
    """Return the files in which the word is, in plain letters of any width or in base64."""
    return [path for folder in folders for path in _files(folder) if _has(path.read_bytes())]


def files(*folders: Path) -> list[Path]:
    """Return all files, to see that there was something to look at."""
    return [path for folder in folders for path in _files(folder)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _has(body: bytes) -> bool:
    encoded = (base64.b64encode(b" " * shift + WORD.encode())[4 * bool(shift) : -4] for shift in range(3))
    wide = (WORD.encode(name) for name in ("utf-8", "utf-16-le", "utf-32-le"))
    return any(form.lower() in body.lower() for form in wide) or any(form in body for form in encoded)
