"""By how much programs pass a budget of the store that they share: 1, 2, 4 and 8 of them, as they are by default.

    python -m benchmarks shared_budgets

Each is a process with the real client, its ledger goes to `otel-costs local` in batches, and it asks for the budget
every two seconds. All spend at the same rate until all are refused. The figures are ratios: what was spent past the
budget, of the budget, and in seconds of what all spend together. The last is what a budget of any size is passed by.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Final

PROCESSES: Final = (1, 2, 4, 8)
RATE: Final = 4
"""Calls that a process makes in a second."""
LASTS_S: Final = 12
"""How long the budget would last at that rate."""
CALL_USD: Final = Decimal("0.0100125")
"""Of gpt-4o, 5 tokens of input and 1,000 of output."""

_USAGE: Final = {"prompt_tokens": 5, "completion_tokens": 1_000, "total_tokens": 1_005}


def main() -> None:
    """Print the table."""
    from otel_costs.local import Stack  # the worker needs none of it
    from otel_costs.stand_in import Provider

    print("| processes | spent past the budget | in seconds of spending |\n|---|---|---|")
    for number in PROCESSES:
        with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack, Provider() as provider:
            budget_usd = CALL_USD * RATE * LASTS_S * number
            _set(stack.http_url, budget_usd)
            spent_usd = CALL_USD * sum(_run(number, stack.http_url, stack.otlp_http_url, provider.base_url))
            past = max(Decimal(0), spent_usd - budget_usd)
            seconds = past / (CALL_USD * RATE * number)
            print(f"| {number} | {past / budget_usd:.1%} | {seconds:.1f} |", flush=True)


def _set(url: str, budget_usd: Decimal) -> None:
    request = urllib.request.Request(
        f"{url}/api/v1/budgets/user/month/user-1",
        json.dumps({"limit_usd": str(budget_usd)}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=60).close()


def _run(number: int, url: str, otlp_url: str, base_url: str) -> list[int]:
    environment = {
        **os.environ,
        "OTEL_COSTS_BUDGETS": url,
        "OTEL_COSTS_BUDGETS_FAIL": "closed",  # so that all know of it when they begin
        "OTEL_COSTS_PROVIDERS": "127.0.0.1=openai",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{otlp_url}/v1/logs",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.shared_budgets", base_url], env=environment, stdout=subprocess.PIPE
        )
        for _ in range(number)
    ]
    return [int(worker.communicate()[0]) for worker in workers]


def work(base_url: str) -> int:
    """Call until it is refused for four seconds, and return how many calls were sent."""
    import openai
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    import otel_costs

    ledger = LoggerProvider()
    ledger.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    otel_costs.CostsInstrumentor().instrument(logger_provider=ledger)
    client = openai.OpenAI(base_url=base_url, api_key="sk-none", max_retries=0)
    headers = {"x-stand-in-fault": json.dumps({"usage": _USAGE})}
    sent = refused = 0
    begun = time.monotonic()
    for number in range(100 * RATE):
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        with otel_costs.session("s", user="user-1"):
            try:
                client.chat.completions.create(
                    model="gpt-4o",
                    messages=[{"role": "user", "content": "Hello"}],
                    max_tokens=1_000,
                    extra_headers=headers,
                )
            except otel_costs.BudgetExceeded:
                refused += 1
                if refused == 4 * RATE:
                    break
            else:
                sent, refused = sent + 1, 0
    ledger.shutdown()
    return sent


if __name__ == "__main__":
    print(work(sys.argv[1]))
