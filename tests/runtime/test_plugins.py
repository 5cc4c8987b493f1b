"""Providers of other packages, by their entry points: what is wrong with one costs that one alone."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.test_adding_a_provider import install, run

GOOD = """
    from otel_costs.providers import kit

    def read(asked, answer):
        return kit.Reading(kit.read_usage(answer.json.get("usage"), "acme"), reported_cost=answer.json.get("cost"))

    GOOD = kit.Vendor(name="acme", hosts=["acme.com"], endpoints=[kit.Endpoint("chat", "POST", "/v1/chat$", read)])
"""
BAD = {
    "absent": ("nowhere:VENDOR", "absent' of acme-costs cannot be loaded: ModuleNotFoundError"),
    "exits": ("exits:VENDOR", "exits' of acme-costs cannot be loaded: SystemExit"),
    "pattern": ("pattern:VENDOR", "pattern' of acme-costs cannot be loaded: "),
    "other": ("json:loads", "other' of acme-costs is not recorded: TypeError: it is no Vendor, but function"),
    "priced": ("priced:VENDOR", "priced' of acme-costs has no prices: "),
}
FILES = {
    "exits__py": "raise SystemExit(3)",
    "pattern__py": """
        from otel_costs.providers import kit
        VENDOR = kit.Vendor(name="p", endpoints=[kit.Endpoint("chat", "POST", "(", lambda *_: kit.Reading())])
    """,
    "priced__py": """
        from pathlib import Path
        from otel_costs.providers import kit
        VENDOR = kit.Vendor(name="priced", prices=Path(__file__).with_name("bad.yaml"))
    """,
    "bad__yaml": "version: 1\nprices: [what]\n",
}
CALL = """
    import json, logging, sys
    import httpx, httpx2
    from otel_costs import CostsInstrumentor
    from otel_costs.runtime import background
    from tests.support.recorded import Recorded
    from tests.support.speech.service import Said, Service

    class Acme(Service):
        def routes(self):
            usage = {"input_tokens": 1000, "output_tokens": 200}
            return {("POST", "/v1/chat"): lambda _: Said({"model": "m", "usage": usage, "cost": "0.25"})}

    recorded, said = Recorded(), []

    class Heard(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    logging.getLogger("otel_costs").addHandler(Heard(logging.WARNING))
    CostsInstrumentor().instrument(**recorded.providers)
    with Acme() as service:
        url = service.url + "/v1/chat"
        answers = [library.post(url, json={"model": "m"}).json() for library in (httpx, httpx2) * 2]
    background.drain()
    calls = recorded.calls
    print(json.dumps({"calls": calls, "said": said, "answers": len(answers)}, default=str))
"""


def found(folder: Path, entry_points: dict[str, str], **files: str) -> dict[str, Any]:
    install(folder, entry_points, **{name: textwrap.dedent(text) for name, text in files.items()})
    done: dict[str, Any] = json.loads(run(folder, "-c", textwrap.dedent(CALL)).splitlines()[0])
    return done


def test_a_bug_costs_the_one_that_has_it(tmp_path: Path) -> None:
    """A module that is not there, that exits, or is wrong, is one warning that names it; the others record."""
    entry_points = {name: value for name, (value, _) in BAD.items()}
    done = found(tmp_path, {**entry_points, "good": "good:GOOD"}, good__py=GOOD, **FILES)
    assert [call["otel_costs.cost.usd"] for call in done["calls"]] == ["0.25"] * 4
    for _, line in BAD.values():
        assert len([said for said in done["said"] if line in said]) == 1, done["said"]
    assert len(done["said"]) == len(BAD)


@pytest.mark.long
@pytest.mark.parametrize("body", ["raise KeyError('secret')", "return None", "return kit.Reading(usage=7)"])
def test_a_reader_with_a_bug(body: str, tmp_path: Path) -> None:
    """The application has its answers, each call has a record that says so, and there is one warning."""
    bad = textwrap.dedent(GOOD).replace("    return", f"    {body}\n    return")
    done = found(tmp_path, {"good": "good:GOOD"}, good__py=bad)
    assert done["answers"] == 4
    assert [call["otel_costs.cost.status"] for call in done["calls"]] == ["unpriced"] * 4
    if "7" not in body:
        assert {call["otel_costs.cost.reason"] for call in done["calls"]} == {"response_not_read"}
    assert len(done["said"]) == 1
    assert "secret" not in str(done["said"])


@pytest.mark.long
def test_a_user_of_prices(tmp_path: Path) -> None:
    """The prices of a package count below the user's, above ours and those of genai-prices, in commands, too."""
    prices = textwrap.dedent("""
        version: "1"
        currency: USD
        prices:
          - provider: openai
            match: {{model: [{model}]}}
            rates: {{input_tokens: {{usd: "{usd}", per: 1000}}, output_tokens: {{usd: "{usd}", per: 1000}}}}
    """)
    files = {
        "priced__py": FILES["priced__py"],
        "bad__yaml": prices.format(model="gpt-4o", usd="7"),
        "own__yaml": prices.format(model="gpt-4o", usd="8"),
    }
    install(tmp_path, {"priced": "priced:VENDOR"}, **{name: textwrap.dedent(text) for name, text in files.items()})
    command = "from otel_costs.cli import main; main()"
    arguments = ["-c", command, "price", "gpt-4o", "input_tokens=1000", "--format", "json"]
    assert json.loads(run(tmp_path, *arguments))["cost_usd"] == "7.000000"
    assert json.loads(run(tmp_path, *arguments, OTEL_COSTS_PRICES=str(tmp_path / "own.yaml")))["cost_usd"] == "8.000000"


def test_nothing_is_imported_without_one(tmp_path: Path) -> None:
    """A program without such packages has nothing of the kit, of httpx or of PyYAML for it."""
    code = """
        import sys
        from otel_costs import CostsInstrumentor
        CostsInstrumentor().instrument()
        unwanted = ("otel_costs.providers.kit", "otel_costs.providers.kit.vendor", "yaml", "httpx")
        print([name for name in sys.modules if name.startswith(unwanted)])
    """
    assert run(tmp_path, "-c", textwrap.dedent(code)).splitlines()[0] == "[]"


def test_a_generator(tmp_path: Path) -> None:
    """A method that is a generator sends nothing before it is iterated: its call begins with the first message."""
    sdk = """
        def stream(text):
            for word in text.split():
                yield word

        async def stream_async(text):
            for word in text.split():
                yield word
    """
    vendor = """
        from otel_costs.providers import kit

        def read(call, answered):
            return kit.Reading(kit.Usage.of({"requests": len(answered.messages)}), reported_cost="1")

        VENDOR = kit.Vendor(name="acme", hosts=["acme.com"], methods=[
            kit.Method(path=f"acme_sdk:{name}", operation="embeddings", read=read, is_stream=True)
            for name in ("stream", "stream_async")
        ])
    """
    code = """
        import asyncio, json
        from otel_costs import CostsInstrumentor
        from otel_costs.runtime import background
        from tests.support.recorded import Recorded
        recorded = Recorded()
        CostsInstrumentor().instrument(**recorded.providers)
        import acme_sdk

        async def read(stream):
            return [word async for word in stream]

        acme_sdk.stream("never read")
        begun = len(recorded.spans)
        said = [list(acme_sdk.stream("a b c")), asyncio.run(read(acme_sdk.stream_async("a b")))]
        left = acme_sdk.stream("a b")
        next(left)
        left.close()
        background.drain()
        counts = [(call["otel_costs.usage.requests"], call["otel_costs.cost.status"]) for call in recorded.calls]
        print(json.dumps([begun, said, counts]))
    """
    files = {"acme_sdk__py": sdk, "acme_vendor__py": vendor}
    install(tmp_path, {"acme": "acme_vendor:VENDOR"}, **{name: textwrap.dedent(text) for name, text in files.items()})
    begun, said, counts = json.loads(run(tmp_path, "-c", textwrap.dedent(code)).splitlines()[0])
    assert (begun, said) == (0, [["a", "b", "c"], ["a", "b"]])
    assert counts == [[3, "priced"], [2, "priced"], [1, "priced"]]
