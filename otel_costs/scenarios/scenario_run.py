"""A run of a scenario: its requests, made with OpenAI's client, and what the ledger says of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from secrets import token_hex
from typing import Any, Final

import otel_costs
from otel_costs.scenarios.answering import printable_url
from otel_costs.scenarios.errors import ScenarioError
from otel_costs.scenarios.ledger import Ledger, LedgerCall
from otel_costs.scenarios.sound import tone
from otel_costs.scenarios.steps import RESPONSES, Scenario, Speech, Step, Talk, Transcription, filled

COMPLETED: Final = "completed"
OVER_BUDGET: Final = "over_budget"
FAILED: Final = "failed"

_MAX_MESSAGE: Final = 400
"""Characters of what a provider says of an error."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `problem` says why it did not come to its end, empty if it did."""

    session_id: str
    outcome: str
    problem: str
    calls: tuple[LedgerCall, ...]

    @property
    def cost_usd(self) -> Decimal:
        """The sum of what is known."""
        return sum((call.cost_usd for call in self.calls if call.cost_usd is not None), Decimal())

    @property
    def unpriced_calls(self) -> int:
        """How many calls have no price, or lack a part of it."""
        return sum(call.cost_status in ("unpriced", "partial") for call in self.calls)


def run(client: Any, ledger: Ledger, scenario: Scenario, budget_usd: Decimal | None) -> Run:
    """Go through `scenario` once, in a session of its own; past its budget no further request is sent."""
    from openai import OpenAIError  # noqa: PLC0415  # an extra of ours

    session_id, stage = f"{scenario.name}-{token_hex(4)}", _Stage(client)
    outcome, problem = COMPLETED, ""
    options = {"user": scenario.user, "scenario": scenario.name, "budget_usd": budget_usd, **scenario.tags}
    with otel_costs.session(session_id, **options):
        try:
            for phase, steps in groupby(scenario.steps, lambda step: step.phase):
                with otel_costs.session(session_id, kind=phase, **options):
                    stage.play_all(steps)
        except otel_costs.BudgetExceeded as error:
            outcome, problem = OVER_BUDGET, f"step {stage.step} was not sent: {error}"
        except OpenAIError as error:
            outcome, problem = FAILED, f"step {stage.step}: {_explained(error, client)}"
        except KeyboardInterrupt:
            outcome, problem = FAILED, f"step {stage.step}: interrupted"
    found = Run(session_id, outcome, problem, tuple(ledger.calls(session_id)))
    if len(found.calls) < stage.answered:
        raise ScenarioError(
            f"{stage.answered} requests were answered and {len(found.calls)} recorded: is OTEL_SDK_DISABLED set?"
        )
    if outcome == COMPLETED and budget_usd is not None and found.cost_usd > budget_usd:
        return Run(session_id, OVER_BUDGET, f"it spent ${found.cost_usd:f} of ${budget_usd:f}", found.calls)
    return found


def _explained(error: Exception, client: Any) -> str:
    """Return what a provider answered, and what to do."""
    address = printable_url(str(client.base_url))
    hints = {
        "AuthenticationError": "check OPENAI_API_KEY",
        "NotFoundError": "name another model with --model, or check OPENAI_BASE_URL",
        "APIConnectionError": f"nobody answers at {address}; check OPENAI_BASE_URL",
        "APITimeoutError": f"nobody answered in time at {address}",
    }
    kind, text = type(error).__name__, str(error).replace(client.api_key or "\0", "…")  # a gateway may quote it
    hint = f"; {hints[kind]}" if kind in hints else ""
    return f"{kind}: {' '.join(text.split())[:_MAX_MESSAGE]}{hint}"


@dataclass(slots=True)
class _Stage:
    """What was said and spoken so far: later steps quote it, go on with it, or listen to it."""

    client: Any
    step: str = ""
    answered: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    spoken: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    talks: dict[str, list[Any]] = field(default_factory=dict)

    def play_all(self, steps: Iterable[Step]) -> None:
        """Make the requests of steps, one after the other."""
        for step in steps:
            self.step = step.name
            with otel_costs.step(step.name):
                self._play(step)

    def _play(self, step: Step) -> None:
        call = step.call
        if isinstance(call, Talk):
            self._talk(step, call)
        elif isinstance(call, Speech):
            self._speak(step, call)
        else:
            self._listen(step, call)

    def _talk(self, step: Step, talk: Talk) -> None:
        messages = [*self.talks.get(talk.continues or "", ()), *self._before(talk)]
        for turn in talk.turns:
            messages.append(_message("user", filled(turn, self.texts)))
            answer = self._answer(step, talk, messages)
            self.answered += 1
            messages.append(_message("assistant", answer))
            self.texts[step.name] = answer
        self.talks[step.name] = messages

    def _before(self, talk: Talk) -> Iterator[Any]:
        if talk.system is not None:
            yield _message("system", filled(talk.system, self.texts))
        for message in talk.history:
            yield _message(message.role, filled(message.text, self.texts))

    def _answer(self, step: Step, talk: Talk, messages: list[Any]) -> str:
        more = {"model": step.model, "extra_body": dict(step.parameters) or None}
        if talk.kind == RESPONSES:
            if not hasattr(self.client, "responses"):
                raise ScenarioError(f"step {step.name}: this openai has no responses: pip install --upgrade openai")
            return str(self.client.responses.create(input=messages, **more).output_text)
        completion = self.client.chat.completions.create(messages=messages, **more)
        return completion.choices[0].message.content or ""

    def _speak(self, step: Step, speech: Speech) -> None:
        made = self.client.audio.speech.create(
            model=step.model,
            input=filled(speech.text, self.texts),
            voice=speech.voice,
            extra_body=dict(step.parameters) or None,
        )
        self.spoken[step.name] = (f"{step.name}.{step.parameters.get('response_format', 'mp3')}", made.content)
        self.answered += 1

    def _listen(self, step: Step, heard: Transcription) -> None:
        answer: Any = self.client.audio.transcriptions.create(
            model=step.model, file=self._sound(heard), extra_body=dict(step.parameters) or None
        )
        self.texts[step.name] = answer if isinstance(answer, str) else answer.text
        self.answered += 1

    def _sound(self, heard: Transcription) -> tuple[str, bytes]:
        if heard.speech is not None:
            return self.spoken[heard.speech]
        if heard.file is not None:
            return heard.file.name, heard.file.read_bytes()
        return "tone.wav", tone(heard.seconds or 1)


def _message(role: str, text: str) -> Mapping[str, str]:
    return {"role": role, "content": text}
