"""A support assistant with OpenAI's client, a handbook and two tools. It knows nothing of costs, traces or ledgers.

python examples/support_assistant/assistant.py
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from openai import OpenAI
from openai.types.responses import Response

MODEL: Final = os.environ.get("SUPPORT_MODEL", "gpt-5.4-mini")
HANDBOOK: Final = Path(__file__).with_name("handbook.md").read_text(encoding="utf-8")
ORDERS: Final[dict[str, dict[str, str]]] = {
    "A-1001": {"status": "in transit", "item": "Ridge 40 pack", "carrier": "DHL", "arrives": "Thursday"},
    "B-2044": {"status": "delivered", "item": "Brook 2 lantern", "price": "39.90 EUR", "delivered": "Monday"},
}


def main() -> None:
    """Hold three conversations with two customers, one after the other."""
    client = OpenAI()

    parcel = Conversation(client, "ada", "parcel-1001")
    say(parcel.ask("Hello! Where is my order A-1001?"))
    say(parcel.tell("And what if I want to return it?"))
    say(parcel.tell("Thank you!"))

    lantern = Conversation(client, "grace", "lantern-2044")
    say(lantern.ask("The lantern of order B-2044 arrived broken. I want my money back."))

    strike = Conversation(client, "ada", "strike-news")
    say(strike.search("Is there any news today of a strike at the parcel services in Leipzig?"))


def say(answer: str) -> None:
    """Show an answer."""
    print(f"assistant: {answer}")


class Conversation:
    """A customer's conversation. Whose, and which one it is, stands in the fields that OpenAI has for that."""

    def __init__(self, client: OpenAI, customer: str, conversation_id: str) -> None:
        self._client = client
        self._messages: list[Any] = [{"role": "system", "content": HANDBOOK}]
        self._identity: dict[str, Any] = {
            "safety_identifier": customer,
            "metadata": {"session_id": conversation_id},
            "store": True,  # OpenAI takes metadata with what it stores
        }

    def ask(self, question: str) -> str:
        """Answer a question with the tools that it needs."""
        self._messages.append({"role": "user", "content": question})
        while True:
            completion = self._client.chat.completions.create(
                model=MODEL, messages=self._messages, tools=TOOLS, reasoning_effort="none", **self._identity
            )
            message = completion.choices[0].message
            self._messages.append(message)
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                result = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
                self._messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    def tell(self, question: str) -> str:
        """Answer a question word by word, as a chat window shows it."""
        self._messages.append({"role": "user", "content": question})
        answer = ""
        for chunk in self._client.chat.completions.create(
            model=MODEL, messages=self._messages, stream=True, reasoning_effort="none", **self._identity
        ):
            if chunk.choices:
                answer += chunk.choices[0].delta.content or ""
        self._messages.append({"role": "assistant", "content": answer})
        return answer

    def search(self, question: str) -> str:
        """Answer a question with what the web says."""
        response: Response = self._client.responses.create(
            model=MODEL,
            instructions="You are the support assistant of Fernhill Outfitters. Answer in at most three sentences.",
            input=question,
            tools=[{"type": "web_search"}],
            **self._identity,
        )
        return response.output_text


def lookup_order(order_id: str) -> str:
    """Return what we know of an order."""
    return json.dumps(ORDERS.get(order_id, {"error": f"there is no order {order_id}"}))


def refund_order(order_id: str) -> str:
    """Give the money back."""
    if order_id not in ORDERS:
        return json.dumps({"error": f"there is no order {order_id}"})
    return json.dumps({"refunded": ORDERS[order_id]["price"], "arrives": "in 5 working days"})


FUNCTIONS: Final[Mapping[str, Callable[..., str]]] = {"lookup_order": lookup_order, "refund_order": refund_order}


def tool(name: str, description: str, **parameters: str) -> Any:
    """Describe a tool whose parameters are all texts."""
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TOOLS: Final = [
    tool("lookup_order", "Look an order up.", order_id="The order number, such as A-1001."),
    tool("refund_order", "Refund an order.", order_id="The order number."),
]

if __name__ == "__main__":
    main()
