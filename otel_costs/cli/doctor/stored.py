"""What the store has: its schema, what came last, and which calls are missing, without a price, damaged or refused."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_costs.cli import formatting
from otel_costs.cli.doctor.finding import Finding, note, ok, problem
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.semconv import ENV_DSN
from otel_costs.store import StoreError, connect, health, reports, schema
from otel_costs.store.backups import unfinished

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SHOWN: Final = 5
"""Reasons that are told apart, those of the most calls."""

_CHECK: Final = "store"
_REASONS: Final = {reason.value: reason for reason in CostReason}


def findings(dsn: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found in the store at `dsn`; one that was not named need not be there."""
    try:
        client = connect(dsn)
    except StoreError as error:
        sentence = f"{_sentence(error)}."
        if dsn or environ.get(ENV_DSN):
            yield problem(_CHECK, sentence, f"Start the store, or correct --dsn or {ENV_DSN}.")
        else:
            yield note(_CHECK, sentence, f"Name the store with --dsn or {ENV_DSN}, if this machine can reach it.")
        return
    try:
        for check in (_schema, _last, _missing, _misdated, _unpriced, _damaged, _unfinished):
            yield from _guarded(check, client)
    finally:
        client.close()
    yield from _local(health.state(dsn))


def _guarded(check: Callable[["Client"], Iterator[Finding]], client: "Client") -> Iterator[Finding]:
    try:
        yield from check(client)
    except StoreError as error:
        yield note(_CHECK, f"{_sentence(error)}.", "See that the user may read it, and `otel-costs schema`.")


def _sentence(error: Exception) -> str:
    sentence = str(error).rstrip(".")
    return sentence[:1].upper() + sentence[1:]


def _schema(client: "Client") -> Iterator[Finding]:
    outdated = schema.outdated(client)
    if not outdated:
        yield ok(_CHECK, "The tables and views are there, as this version makes them.")
        return
    names = ", ".join(outdated[:SHOWN]) + (", ..." if len(outdated) > SHOWN else "")
    yield problem(
        _CHECK,
        f"{formatting.many(len(outdated), 'table or view')} of this version's schema is missing or another: {names}.",
        "Run `otel-costs schema`.",
    )


def _last(client: "Client") -> Iterator[Finding]:
    last = health.last_process(client)
    if last is None:
        yield note(
            _CHECK,
            "No call has arrived yet, or none since raw records are kept.",
            "Start a program with OTEL_COSTS_LOG=debug: its lines tell how far a call comes.",
        )
        return
    service = last["service"] or "(no service.name)"
    yield ok(
        _CHECK,
        f"The last call arrived within five minutes from {formatting.moment(last['arrived'])}: it ended at"
        f" {formatting.moment(last['last_time'])}, in process {last['process_id']} of service {service}, one of"
        f" {formatting.many(last['call_count'], 'call')} of that process.",
    )


def _missing(client: "Client") -> Iterator[Finding]:
    gaps = reports.missing_calls(client)
    if not gaps:
        yield ok(_CHECK, "No call is missing: the numbers of each process have no gap.")
        return
    lost: Counter[str] = Counter()
    for gap in gaps:
        lost[gap["service"] or "(no service.name)"] += gap["missing_count"]
    services = ", ".join(f"{service} {count:,}" for service, count in lost.most_common(SHOWN))
    yield problem(
        _CHECK,
        f"{formatting.many(lost.total(), 'call')} were made and never arrived: {services}.",
        "`select * from missing_calls` names processes and times; OTEL_COSTS_SPOOL keeps records through outages.",
    )


def _misdated(client: "Client") -> Iterator[Finding]:
    if count := health.misdated(client):
        yield problem(
            _CHECK,
            f"{formatting.many(count, 'call')} have a time that no clock can have meant, and count at that time.",
            "Set the clock of the machine right; `select * from misdated_calls` names the service.",
        )


def _unpriced(client: "Client") -> Iterator[Finding]:
    by_reason: Counter[str] = Counter()
    for row in reports.unpriced_calls(client):
        by_reason[row["cost_reason"]] += row["call_count"]
    if not by_reason:
        yield ok(_CHECK, "Every call has a price.")
    for reasons, count in by_reason.most_common(SHOWN):
        known = [_REASONS[one] for one in reasons.split(",") if one in _REASONS]
        sentence = f"{formatting.many(count, 'call')} without a whole price: {reasons or 'no reason'}."
        yield note(_CHECK, sentence, known[0].remedy if known else "See docs/reasons.md.")


def _damaged(client: "Client") -> Iterator[Finding]:
    for table in health.detached(client):
        yield problem(
            _CHECK,
            f"{formatting.many(table['parts'], 'part')} of {table['table']} is set aside as damaged, and in no report.",
            "See docs/local.md, `select * from system.detached_parts`, and restore a backup.",
        )


def _unfinished(client: "Client") -> Iterator[Finding]:
    for name in unfinished.staged(client):
        yield problem(
            _CHECK,
            f"{_sentence(StoreError(unfinished.explanation(name)))}.",
            "Until then some of what it brings may be in reports, and some not: see docs/backup.md.",
        )


def _local(state: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield what `otel-costs local` says of itself, beside what its tables say."""
    if state is None:
        return
    if not state["storing"]:
        yield problem(_CHECK, f"`otel-costs local` does not store: {state['trouble']}.", "Free what it names.")
    if refused := state.get("refused_records"):
        yield problem(
            _CHECK,
            f"`otel-costs local` has refused {formatting.many(refused, 'record')} since its start.",
            "Its log names what they hold; the sender is told, too.",
        )
    for one in state.get("damaged_parts", ()):
        if not one["detached"]:
            yield problem(_CHECK, f"Part {one['part']} of {one['table']} cannot be read.", "Restore a backup.")
    for view in state.get("failed_views", ()):
        yield problem(_CHECK, f"The view {view} could not be counted again.", "See the log of `otel-costs local`.")
    for notice in state.get("notices", ()):
        yield note(_CHECK, notice, "See docs/local.md.")
    if state["storing"]:
        yield ok(_CHECK, "`otel-costs local` stores what it gets.")
