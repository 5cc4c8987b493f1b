"""What exporters acknowledged, counted beside their own work."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult

from otel_costs.runtime import acknowledged, telemetry


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    acknowledged.forget()
    yield
    acknowledged.forget()


def test_an_export_under_way_when_the_counts_are_forgotten_raises_nothing() -> None:
    """A program that takes the instrumentation back while a batch is on its way."""

    def export(_batch: Any) -> LogRecordExportResult:
        acknowledged.forget()
        return LogRecordExportResult.SUCCESS

    assert acknowledged._export(export, object(), ([],), {}) is LogRecordExportResult.SUCCESS


def test_calls_before_the_counts_were_forgotten_are_not_lost() -> None:
    """A program that takes the instrumentation back and loads it again: their records were sent under the first."""
    telemetry.process.next_seq()
    acknowledged.forget()
    telemetry.process.next_seq()
    acknowledged._export(lambda _batch: LogRecordExportResult.FAILURE, object(), ([],), {})
    assert acknowledged.lost() == (1, 1)


def test_a_batch_that_cannot_be_counted_is_exported_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """The records of another SDK, say: one warning, and nothing into the exporter's thread."""
    found = acknowledged._export(lambda _batch: LogRecordExportResult.SUCCESS, object(), ([object()],), {})
    assert found is LogRecordExportResult.SUCCESS
    assert "otel_costs could not count what was sent" in caplog.text
