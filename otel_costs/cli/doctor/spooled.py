"""What lies in the folder of the spool: records that wait, that were refused, that are damaged."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from otel_costs.cli import formatting
from otel_costs.cli.doctor.finding import Finding, note, ok, problem
from otel_costs.semconv import ENV_SPOOL

_CHECK: Final = "spool"


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what lies there; that there is no spool is said, and is well."""
    from otel_costs.spool import inventory  # noqa: PLC0415

    if not (folder := environ.get(ENV_SPOOL)):
        yield ok(
            _CHECK,
            f"{ENV_SPOOL} is not set: what the exporter cannot send while the program runs is lost.",
            f"Set {ENV_SPOOL} to a folder to keep it.",
        )
        return
    lots = list(inventory.of(Path(folder)))
    if not lots:
        yield ok(_CHECK, f"Nothing lies in {folder}: all that was recorded is sent.")
    for lot in lots:
        records = formatting.many(lot.records, "record")
        if lot.state == inventory.WAITING and lot.detail == "its process runs":
            yield note(
                _CHECK,
                f"{records} since {lot.since} wait for the collector; the process runs and goes on trying.",
                "Let the address above answer; they are sent then.",
            )
        elif lot.state == inventory.WAITING:
            yield problem(
                _CHECK,
                f"{records} since {lot.since} wait for the collector; the process is gone.",
                f"Start a program with {ENV_SPOOL}={folder}: it sends them.",
            )
        elif lot.state == inventory.REFUSED:
            yield problem(
                _CHECK,
                f"The collector refused {records} since {lot.since} ({lot.detail}).",
                "See what it refuses, then `otel-costs spool resend`.",
            )
        else:
            yield problem(
                _CHECK,
                f"{formatting.many(lot.records, 'place')} of {lot.detail} is damaged; what is whole was sent.",
                "`otel-costs spool list` lists the copies, `otel-costs spool drop` deletes them.",
            )
