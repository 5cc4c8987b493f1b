"""A store with sessions in it, as programs would have written them, and the command line over it."""

import json
import sys
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from click.testing import CliRunner, Result

from otel_costs.cli.app import app

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
"""Not long ago: what is too old is not kept."""


def at(clock: str, day: int = 0) -> datetime:
    """Return a time of day, `10:30:00.500`, on DAY or days later."""
    return datetime.fromisoformat(f"{(DAY + timedelta(days=day)):%Y-%m-%d}T{clock}+00:00")


MAIN = [sys.executable, "-c", "from otel_costs.cli import main; main()"]
ANY_PORTS = ["--otlp-http-port", "0", "--otlp-grpc-port", "0", "--http-port", "0"]


def run(*arguments: str, url: str | None = None, environ: Mapping[str, str | None] | None = None) -> Result:
    """Run a command of otel-costs in this process."""
    variables = {"OTEL_COSTS_DSN": url, "COLUMNS": "100", **(environ or {})}
    return CliRunner(env=variables).invoke(app, list(arguments), prog_name="otel-costs")


class Ledger:
    """Writes the records of calls and messages into a store, as the collector does."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, session: str, ended: datetime, **attributes: Any) -> None:
        """Write a call; keyword arguments are its attributes, with `__` for dots."""
        given = {name.replace("__", "."): str(value) for name, value in attributes.items()}
        record = {
            "event.name": "otel_costs.call",
            "otel_costs.call.id": uuid.uuid4().hex,
            "otel_costs.process.id": "ab" * 16,
            "otel_costs.call.seq": "1",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "session.id": session,
            "otel_costs.cost.status": "priced",
            "gen_ai.usage.cost.source": "local",
            "otel_costs.duration_s": "0.5",
            "otel_costs.start_time_unix_nano": str(_ns(ended - timedelta(seconds=0.5))),
            **given,
        }
        self._write(ended, {name: value for name, value in record.items() if value != "None"}, "")

    def message(self, session: str, said: datetime, role: str, content: str, **attributes: Any) -> None:
        """Write a message."""
        given = {name.replace("__", "."): str(value) for name, value in attributes.items()}
        record = {
            "event.name": "otel_costs.message",
            "otel_costs.message.id": uuid.uuid4().hex,
            "otel_costs.message.index": "0",
            "otel_costs.message.role": role,
            "otel_costs.message.type": "text",
            "session.id": session,
            **given,
        }
        self._write(said, record, content)

    def _write(self, when: datetime, attributes: Mapping[str, str], body: str) -> None:
        row = {
            "Timestamp": f"{_ns(when) // 10**9}.{_ns(when) % 10**9:09}",
            "ServiceName": "shop",
            "EventName": attributes["event.name"],
            "Body": body,
            "LogAttributes": attributes,
        }
        statement = b"insert into otel_logs format JSONEachRow\n"
        urllib.request.urlopen(self.url, statement + json.dumps(row).encode(), timeout=30).close()


def _ns(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000) * 1000


def fill(ledger: Ledger) -> None:
    """Write two users' sessions: a conversation with a tool, a voice note, and a call that nobody can price."""
    whose = {"user__id": "ada", "otel_costs__scenario": "shop", "otel_costs__tag__team": "west"}
    ledger.message("parcel", at("10:30:00"), "system", "You are the assistant. " * 30, **whose)
    ledger.message("parcel", at("10:30:00.001"), "user", "Where is my order A-1001?", **whose)
    ledger.message(
        "parcel",
        at("10:30:01"),
        "assistant",
        "",
        otel_costs__message__type="function_call",
        otel_costs__message__function_name="lookup_order",
        otel_costs__message__arguments='{"order_id": "A-1001"}',
        **whose,
    )
    first: dict[str, Any] = {"gen_ai__usage__input_tokens": 1250, "gen_ai__usage__output_tokens": 340}
    first |= {"otel_costs__cost__line__input_tokens": "0.003125", "otel_costs__cost__line__output_tokens": "0.0034"}
    ledger.call("parcel", at("10:30:01"), otel_costs__cost__usd="0.006525", **first, **whose)
    ledger.message(
        "parcel",
        at("10:30:02"),
        "function",
        '{"status": "in transit"}',
        otel_costs__message__type="function_result",
        otel_costs__message__function_name="lookup_order",
        **whose,
    )
    ledger.message("parcel", at("10:30:03"), "assistant", "It is in transit.", **whose)
    second: dict[str, Any] = {"gen_ai__usage__input_tokens": 1300, "gen_ai__usage__cache_read__input_tokens": 1024}
    second |= {"otel_costs__cost__line__input_tokens": "0.00069", "otel_costs__step": "answer"}
    second |= {"otel_costs__cost__line__cache_read_tokens": "0.00128"}
    ledger.call("parcel", at("10:30:03"), otel_costs__cost__usd="0.00197", **second, **whose)
    _voice(ledger)


def _voice(ledger: Ledger) -> None:
    whose = {"user__id": "grace"}
    ledger.message("voice", at("09:00:00", 1), "user", "\x1b[31mHello\x07", otel_costs__message__type="audio", **whose)
    ledger.call(
        "voice",
        at("09:00:01", 1),
        gen_ai__operation__name="speech_to_text",
        gen_ai__response__model="whisper-1",
        otel_costs__usage__audio_seconds="15",
        otel_costs__cost__line__audio_seconds="0.0015",
        otel_costs__cost__usd="0.0015",
        **whose,
    )
    ledger.call(
        "voice",
        at("09:00:02", 1),
        gen_ai__response__model="gpt-99",
        gen_ai__usage__input_tokens=10,
        otel_costs__cost__status="unpriced",
        otel_costs__cost__reason="unknown_model",
        gen_ai__usage__cost__source="None",
        error__type="RateLimitError",
        **whose,
    )
