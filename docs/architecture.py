"""The page of the package's layers, made from the folders and what each says of itself."""

import ast
from pathlib import Path
from typing import Final

import otel_costs

LAYERS: Final = (
    "semconv usage values",
    "pricing runtime",
    "privacy",
    "sessions messages spool hosts",
    "calls",
    "transports store chargeback",
    "providers",
    "alerts",
    "web stand_in",
    "local",
    "instrumentor otel_costs",
    "scenarios",
    "cli",
)
"""The folders and modules of the package, from the bottom to the top."""

_PACKAGE: Final = Path(otel_costs.__file__).parent

_HEAD: Final = """\
# Architecture

<!-- Made by `make docs` from docs/architecture.py and the folders of the package. -->

```
 the application ── opentelemetry-instrument ── otel_costs ──OTLP──▶ collector ──▶ ClickHouse
   OpenAI, Realtime, Live, speech SDKs            │                     │            otel_logs, otel_traces
                                                  │                     ▼                 │ queries/pipeline
                                                  ▼                  Jaeger               ▼
                                       session totals, budgets                      calls, messages
                                                                                          │ queries/reports
                                                                                          ▼
                                                                                SQL, Grafana, otel-costs
```

`otel-costs local` is the right half of it in one process: an OTLP receiver, ClickHouse embedded, and the same files of
`queries/`.

## The way of a call

A chat completion of OpenAI, as an example:

1. `otel_costs/providers/openai/__init__.py` has the patches, which see a request, and makes an `Exchange` of it
   (`otel_costs/providers/openai/exchange.py`). `otel_costs/providers/openai/request.py` reads the request:
   `otel_costs/hosts.py` has its provider, `otel_costs/sessions/scope.py` the session that it belongs to and the budgets
   that it counts in. `otel_costs/calls/call.py` starts a call with its span.
2. The response passes unchanged to the application. `otel_costs/transports/http/body.py` keeps what it says of usage;
   where it is a stream, `otel_costs/transports/http/streaming.py` follows it to its end,
   `otel_costs/providers/openai/usage_filter.py` takes out what the application has not asked for, and
   `otel_costs/providers/openai/chat_accumulator.py` adds its chunks up.
3. When the response is over, the application goes on, and a job of `otel_costs/runtime/background.py` does the rest.
   `otel_costs/providers/openai/answer.py` makes one `Reading` of request and answer: what was said
   (`otel_costs/providers/openai/messages.py`), what was used (`otel_costs/providers/openai/usage.py`, with
   `otel_costs/usage/reported.py`), and, of one that is not ordinary, what it asked for that changes the price
   (`otel_costs/providers/openai/options.py`).
4. `otel_costs/calls/writer.py` writes it: it makes a `Bill` (`otel_costs/calls/bill.py`), finds the price in
   `otel_costs/pricing/price_book.py` (a way of calling that is new, with `otel_costs/pricing/call_search.py`) and works
   it out in `otel_costs/pricing/cost.py`, and writes the ledger record, the message records, the span and the
   measurements to `otel_costs/runtime/telemetry.py`.
5. The SDK exports them; with `OTEL_COSTS_SPOOL`, ledger records lie on disk until they are acknowledged
   (`otel_costs/spool/`).

What is off is passed by: a spool, budgets, content. `tests/providers/test_call_path.py` counts
the modules and functions that a chat completion (20 and 83) and a stream (25 and 119) pass that way, and prints them
where there are more.

## The layers

A module imports from its own layer and from those below; `tests/test_imports.py` holds every module to that, and that
no import goes in a circle. From the top to the bottom:

| Layer | What is in it |
|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    rows = [f"| {number} | {'<br>'.join(map(_described, names.split()))} |" for number, names in _numbered()]
    return _HEAD + "\n".join(rows) + "\n"


def _numbered() -> list[tuple[int, str]]:
    return list(enumerate(LAYERS, 1))[::-1]


def _described(name: str) -> str:
    if name == "otel_costs":
        return f"`otel_costs/__init__.py`: {_first_line(_PACKAGE / '__init__.py')}"
    folder = _PACKAGE / name
    if folder.is_dir():
        return f"`otel_costs/{name}`: {_first_line(folder / '__init__.py')}"
    return f"`otel_costs/{name}.py`: {_first_line(folder.with_suffix('.py'))}"


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())
