"""A support assistant without a model: it calls the tools that a question asks for, and answers with their results."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_costs.stand_in import schema

Json = dict[str, Any]

_LOOKUPS = ("lookup", "get", "find", "search", "fetch", "check", "list", "read")
_ACTIONS = {
    "refund": ("refund", "money back"),
    "cancel": ("cancel",),
    "ticket": ("ticket", "complain", "human", "escalate"),
    "address": ("address", "moved"),
    "weather": ("weather",),
}
_ORDER_ID = re.compile(r"\b(?:[A-Z]{1,4}-?\d{3,}|\d{4,})\b")
_SAYINGS = (
    (r"\b(hi|hello|good (morning|evening))\b", "Hello! How can I help you with your order today?"),
    (r"\b(thanks|thank you)\b", "You are welcome. Have a nice day!"),
    (
        r"\b(return|refund|money back)\b",
        "You can return any item within 30 days. The refund takes up to five working days.",
    ),
    (r"\b(ship|deliver)", "We ship within one working day, and parcels arrive after two to four days."),
    (r"\b(open|hours)\b", "We are open from 8 to 20 o'clock, Monday to Saturday."),
    (
        r"\b(invoice|receipt|bill)",
        "Every invoice is in your account, under Orders. Shall I mail you one?",
    ),
    (
        r"\b(password|log ?in|account)",
        "You can set a new password with the link below the login.",
    ),
    (
        r"\b(warranty|broken|defect)",
        "I am sorry to hear that. The warranty is two years; we send a replacement.",
    ),
    (r"\b(voucher|discount|coupon)", "Enter the code of your voucher in the last step, and it is taken off the total."),
    (r"\b(size|fit)", "Most customers take their usual size. The table beside every item has the measures."),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said last: the user's words, and what the tools answered since."""

    question: str
    called: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A text, or calls of tools as (name, arguments)."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()


def reply(
    turn: Turn, tools: Sequence[Mapping[str, Any]], *, choice: object = "auto", parallel: bool = True, form: Any = None
) -> Reply:
    """Answer `turn`: with the next call that it asks for, else with a text.

    `tools` are function definitions (name, parameters), `form` is a JSON schema that the text must fit.
    """
    calls = _calls(turn, tools, choice)
    if calls:
        return Reply(calls=calls if parallel else calls[:1])
    if form is not None:
        return Reply(text=json.dumps(schema.example(form, turn.question), ensure_ascii=False))
    return Reply(text=_answer_from_results(turn.results) if turn.results else _answer_to(turn.question))


def _calls(turn: Turn, tools: Sequence[Mapping[str, Any]], choice: object) -> tuple[tuple[str, str], ...]:
    if choice == "none" or not tools:
        return ()
    wanted = _named(choice)
    if wanted and not turn.called:
        tools = [tool for tool in tools if tool["name"] == wanted]
    elif not (choice == "required" and not turn.called):
        tools = [tool for tool in tools if tool["name"] not in turn.called and _asked_for(tool["name"], turn.question)]
    # What looks up comes before what acts.
    for tool in sorted(tools, key=lambda tool: not tool["name"].startswith(_LOOKUPS))[:1]:
        subjects = _ORDER_ID.findall(turn.question) if tool["name"].startswith(_LOOKUPS) else []
        return tuple((tool["name"], _arguments(tool, turn.question, subject)) for subject in subjects or [None])
    return ()


def _named(choice: object) -> str | None:
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    return function.get("name") if isinstance(function, Mapping) else choice.get("name")


def _asked_for(name: str, question: str) -> bool:
    low = question.lower()
    for action, words in _ACTIONS.items():
        if action in name:
            return any(word in low for word in words)
    if "order" in name or "parcel" in name or "shipment" in name:
        return "order" in low or "parcel" in low or bool(_ORDER_ID.search(question))
    subjects = [word for word in name.lower().split("_") if len(word) > 3 and word not in _LOOKUPS]
    return any(word[:5] in low for word in subjects)


def _arguments(tool: Mapping[str, Any], question: str, subject: str | None) -> str:
    properties: Json = (tool.get("parameters") or {}).get("properties") or {}
    subject = subject or next(iter(_ORDER_ID.findall(question)), None)
    values: Json = {}
    for name, form in properties.items():
        if subject and (name.endswith("id") or "order" in name or "number" in name):
            values[name] = int(subject) if form.get("type") == "integer" and subject.isdigit() else subject
        else:
            values[name] = schema.example(form, question)
    return json.dumps(values, ensure_ascii=False)


def _answer_from_results(results: Sequence[str]) -> str:
    facts = []
    for result in results:
        try:
            value = json.loads(result)
        except ValueError:
            value = result
        if isinstance(value, dict):
            facts.append(", ".join(f"{key.replace('_', ' ')} {item}" for key, item in value.items()))
        else:
            facts.append(str(value))
    return f"I have looked it up for you: {'; '.join(facts)}. Is there anything else I can do for you?"


def _answer_to(question: str) -> str:
    counted = re.search(r"\bcount to (\d{1,6})\b", question, re.IGNORECASE)
    if counted:
        return " ".join(str(number) for number in range(1, int(counted[1]) + 1))
    for pattern, answer in _SAYINGS:
        if re.search(pattern, question, re.IGNORECASE):
            return answer
    return "I am glad to help. Could you tell me a little more about it?"
