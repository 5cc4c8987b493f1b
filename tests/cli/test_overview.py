"""`otel-costs` alone, `open` and completion, over a real store."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from otel_costs.store import connect
from otel_costs.store.bill_differences import Compared, Difference, keep

from .support import DAY, MAIN, Ledger, run


def test_alone_it_tells_what_is_spent_and_what_needs_a_look(url: str) -> None:
    """Today, this week and this month with what they cost, the dearest sessions, and calls without a price."""
    Ledger(url).call("now", datetime.now(UTC) - timedelta(seconds=1), otel_costs__cost__usd="0.25", user__id="ada")
    said = run(url=url)
    assert (said.exit_code, said.stderr) == (0, "")
    rows = [line.split() for line in said.stdout.splitlines()]
    assert ["today", "1", "1", "0", "$0.250000"] in rows
    assert [row[:2] for row in rows if row[:1] == ["this"]] == [["this", "week"], ["this", "month"]]
    sessions = [row[0] for row in rows if row[:1] in (["now"], ["parcel"], ["voice"])]
    assert sessions == ["now", "parcel", "voice"]
    assert "1 call of openai gpt-99 unpriced: unknown_model" in said.stdout


@pytest.mark.long
def test_alone_it_tells_whose_bill_differs(url: str) -> None:
    """As a comparison found it, and which command says more."""
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    client = connect(url)
    bill = Compared("aws", day, day + timedelta(days=1))
    more = Difference(day, "", "day_usd", Decimal(3), Decimal(1), Decimal(2), "billed_otherwise")
    keep(client, bill, [more])
    assert "aws's bill differs on 1 day (`otel-costs reconcile --provider aws`)" in run(url=url).stdout
    keep(client, bill, [])
    client.close()
    assert "aws's bill" not in run(url=url).stdout


def test_a_store_of_which_nothing_is_to_be_told(url: str) -> None:
    """Where there is no store it is said, and what starts one; the help is still there."""
    said = run(environ={"OTEL_COSTS_DSN": "http://127.0.0.1:9"})
    assert said.exit_code == 2
    assert "otel-costs local" in said.stderr
    assert "Commands:" in run("--help", url=url).stdout


def test_the_page_of_a_session(url: str) -> None:
    """Its address, of the store or of what is told, without a password in it."""
    assert run("open", "parcel", "--print", url=url).stdout == f"{url}/sessions/parcel\n"
    assert run("open", "--print", url=url).stdout == f"{url}/\n"
    elsewhere = run("open", "a/b c", "--url", "https://costs.acme.com/app/", "--print", url=url)
    assert elsewhere.stdout == "https://costs.acme.com/app/sessions/a%2Fb%20c\n"
    assert run("open", "--print", "--dsn", "http://u:secret@h:8123/db", url=url).stdout == "http://h:8123/\n"
    assert "has no pages by itself" in run("open", "--dsn", "chdb:///tmp/x", url=url).stderr
    assert "begins with http" in run("open", "--url", "costs.acme.com", url=url).stderr


def completed(url: str, *words: str) -> list[str]:
    """Return what bash is offered for the last of the words."""
    asked = {"_OTEL_COSTS_COMPLETE": "bash_complete", "COMP_WORDS": f"otel-costs {' '.join(words)}"}
    environ = {**os.environ, **asked, "COMP_CWORD": str(len(words)), "OTEL_COSTS_DSN": url}
    done = subprocess.run(MAIN, capture_output=True, text=True, env=environ, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.long
def test_a_shell_completes_sessions_and_users(url: str) -> None:
    """Those that begin as what was typed; an id that a terminal would act on is none of them."""
    Ledger(url).call("par\x1b[2Jadise", DAY + timedelta(hours=11), otel_costs__cost__usd="0.1")
    assert completed(url, "session", "par") == ["parcel"]
    assert completed(url, "open", "voi") == ["voice"]
    assert completed(url, "sessions", "--user", "ad") == ["ada"]
    assert completed(url, "repo") == ["report"]


def test_without_a_store_nothing_is_completed() -> None:
    """And nothing is said in the middle of a line."""
    assert completed("http://127.0.0.1:9", "session", "par") == []
