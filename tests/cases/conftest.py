"""A client, a provider and a ledger for one case; and what is expected of all of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.stand_in import Fault, Provider
from tests.support.collector import logs_of, spans_of
from tests.support.recorded import Recorded, instrumented

WORDS = "xyzzy says the user"
"""What is said in a call; it must not be in any log of ours."""


class Case:
    """Asks the provider, and reads what the exporter would send: what it cannot encode fails here as there."""

    def __init__(self, recorded: Recorded, provider: Provider) -> None:
        self.recorded, self.provider = recorded, provider
        self.client = self.new_client()

    def new_client(self, **options: Any) -> openai.OpenAI:
        options = {"base_url": self.provider.base_url, "api_key": "sk-none", "max_retries": 0, **options}
        return openai.OpenAI(**options)

    def ask(self, fault: Fault | None = None, **request: Any) -> ChatCompletion:
        """Have a chat completion, struck by a fault."""
        if fault is not None:
            self.provider.script(fault)
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}], **request}
        answer: ChatCompletion = self.client.chat.completions.create(**asked)
        return answer

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The ledger."""
        return self._exported(names.CALL_EVENT)

    @property
    def call(self) -> dict[str, Any]:
        """The only call in the ledger."""
        (found,) = self.calls
        return found

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self._exported(names.MESSAGE_EVENT)

    @property
    def spans(self) -> list[dict[str, Any]]:
        assert self.recorded.calls is not None  # they are all written
        return spans_of(encode_spans(self.recorded.spans).SerializeToString())

    def _exported(self, event: str) -> list[dict[str, Any]]:
        assert self.recorded.calls is not None
        found = logs_of(encode_logs(self.recorded.log_exporter.get_finished_logs()).SerializeToString())
        return [record for record in found if record[names.EVENT_NAME] == event]


@pytest.fixture
def case(provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Case]:
    """Instrument, without content; at the end nothing that was said is in the log."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    recorded = Recorded()
    with instrumented(recorded):
        found = Case(recorded, provider)
        yield found
        assert found.calls
        found.client.close()
    assert "xyzzy" not in caplog.text
    assert "Failed to detach context" not in caplog.text


@pytest.fixture
def with_content(monkeypatch: pytest.MonkeyPatch, case: Case) -> Iterator[Case]:
    """The same, with content on spans and in records."""
    content.configure(content.Capture.SPAN_AND_EVENT)
    yield case
    content.configure(content.Capture.NO_CONTENT)


def used(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call used."""
    return {name: value for name, value in call.items() if name.startswith(("gen_ai.usage.", "otel_costs.usage."))
            and ".cost." not in name}  # fmt: skip
