"""Record what the pages show of the demo, for who has no call yet: `make example`.

The demo runs against its stand-ins and a store of its own; the API's answers about it become a file of the report app.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from otel_costs.cli import demo, demo_env

FILE: Final = Path(__file__).parents[1] / "otel_costs/web/static/example.json"

_SPLITS: Final = ("model", "user", "scenario", "kind", "service", "provider", "operation", "step", "modality")
_SORTS: Final = ("newest", "oldest", "cost", "duration", "calls", "messages")
_PERIOD: Final = "30d"
_ALTERNATIVE: Final = "gpt-4o-mini"


def main() -> None:
    """Run the demo, and write what the API answers about it."""
    with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        stack = running.enter_context(demo_env.store(Path(folder)))
        provider = running.enter_context(demo_env.answering(stand_in=True, pace=1))
        for _ in demo.programs(stack, provider):
            pass
        answers = dict(_answers(f"{stack.http_url}/api/v1/"))
    FILE.write_text(json.dumps({"answers": answers}, separators=(",", ":"), ensure_ascii=False) + "\n", "utf-8")


def _answers(api: str) -> Iterator[tuple[str, Any]]:
    """Yield questions, as static/example.js asks them, and what is answered."""
    for path in ("summary", "usage", "usage/cache", "inbox", "tags", "sessions", "calls", "compare", "prices/missing"):
        yield path, _get(f"{api}{path}?range={_PERIOD}")
    for path in ("reasons", "budgets", "alerts"):
        yield path, _get(api + path)
    yield "prices", _get(f"{api}prices?model=gpt-4o&provider=openai")
    yield "contracts", _get(f"{api}contracts?range={_PERIOD}")
    # The last month that is over, which the page shows by default, has no call of the demo: the one of now has.
    yield "statements", _get(f"{api}statements?month={datetime.now(UTC):%Y-%m}")
    for by in _SPLITS:
        yield f"costs?by={by}", _get(f"{api}costs?range={_PERIOD}&by={by}")
        yield f"costs?by=day,{by}", _get(f"{api}costs?range={_PERIOD}&by=day,{by}")
    for sort in _SORTS:
        yield f"sessions?sort={sort}", _get(f"{api}sessions?range={_PERIOD}&sort={sort}")
    yield "calls?session=", _get(f"{api}calls?range={_PERIOD}&session=")
    body = json.dumps({"alternatives": [{"model": _ALTERNATIVE}]}).encode()
    yield "what-if", _get(f"{api}what-if?range={_PERIOD}", body)
    for session in _get(f"{api}sessions?range={_PERIOD}")["sessions"]:
        yield from _session(api, session["session_id"])


def _session(api: str, session_id: str) -> Iterator[tuple[str, Any]]:
    yield f"sessions/{session_id}", _get(f"{api}sessions/{quote(session_id, safe='')}")
    calls = _get(f"{api}calls?{urlencode({'session': session_id, 'sort': 'oldest'})}")
    yield f"calls?session={session_id}", calls
    for call in calls["calls"]:
        yield f"calls/{call['call_id']}", _get(f"{api}calls/{call['call_id']}")


def _get(url: str, body: bytes | None = None) -> Any:
    request = Request(url, body, {"Content-Type": "application/json", "Accept": "application/json"})  # noqa: S310  # of the demo's own store
    with urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    main()
