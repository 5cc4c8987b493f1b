"""`otel-costs usage` and `otel-costs advise`, over a real store."""

import csv
import io
import json
from decimal import Decimal

import pytest

from .support import Ledger, at, run


def test_usage(url: str) -> None:
    """An average day, kinds, days, hours and the cache, as a table."""
    said = run("usage", "--from", "30d", "--tz", "Europe/Berlin", url=url)
    assert (said.exit_code, said.stderr) == (0, "")
    for part in ("All users", "An average day of 30.0", "conversation", "Europe/Berlin", "Cached: ", "that saved"):
        assert part in said.stdout
    of_nobody = run("usage", "--user", "nobody", url=url)
    assert (of_nobody.exit_code, "no calls match" in of_nobody.stderr) == (0, True)


@pytest.mark.long
def test_usage_as_json_and_csv(url: str) -> None:
    """The same figures, exact."""
    found = json.loads(run("usage", "--user", "ada", "--format", "json", url=url).stdout)
    assert (found["total"]["cost_usd"], found["by_kind"][0]["mean_usd"]) == ("0.008495", "0.008495")
    assert found["tz"] == "UTC"
    rows = list(csv.DictReader(io.StringIO(run("usage", "--user", "ada", "--format", "csv", url=url).stdout)))
    for part in ("total", "kind", "day", "hour"):
        assert sum(Decimal(row["cost_usd"]) for row in rows if row["part"] == part) == Decimal("0.008495")


def test_advise(store: str) -> None:
    """What would have cost less, with its figure, how it was found, and its limits."""
    for minute in range(3):
        Ledger(store).call(
            "asked",
            at(f"12:0{minute}:00"),
            user__id="zoe",
            gen_ai__usage__input_tokens=10_000,
            gen_ai__usage__output_tokens=100,
            otel_costs__cost__usd="0.026",
            otel_costs__cost__line__input_tokens="0.025",
            otel_costs__cost__line__output_tokens="0.001",
        )
    said = run("advise", "--user", "zoe", url=store)
    assert (said.exit_code, said.stderr) == (0, "")
    flat = " ".join(said.stdout.split())
    for part in ("$0.078000", "Let a smaller model give the short answers · $0.073320 less (94.0%)", "Limits: "):
        assert part in flat
    found = json.loads(run("advise", "--user", "zoe", "--format", "json", url=store).stdout)
    assert [one["idea"] for one in found["advice"]] == ["smaller_model", "batch", "cache"]
    rows = list(csv.DictReader(io.StringIO(run("advise", "--user", "zoe", "--format", "csv", url=store).stdout)))
    assert {row["idea"]: row["saved_usd"] for row in rows} == {one["idea"]: one["saved_usd"] for one in found["advice"]}
    nothing = run("advise", "--user", "nobody", url=store)
    assert "no calls match" in nothing.stderr
