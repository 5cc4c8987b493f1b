"""The messages of a call, or of a connection, written as log records, each once."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from opentelemetry.context import Context

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.messages import Draft, Message, Seen, content
from otel_costs.runtime import telemetry

_SHARED: Final = (names.SESSION_ID, names.USER_ID, names.SESSION_KIND, names.SCENARIO)
"""What a message record has of the call's session."""

_written = Seen()


def forget() -> None:
    """Forget which messages were written; as after a restart."""
    global _written
    _written = Seen()


def is_new_message(conversation: str, message_id: str) -> bool:
    """Return whether this process has not written the message yet, and remember it. The id is the provider's own."""
    return _written.first(conversation, f"{conversation}/{message_id}")


class Conversation:
    """The messages of one call in their conversation, which is the session's, or the call's own outside any.

    On a connection that holds a conversation of its own, `write_message` writes its messages, which
    have the provider's ids. `may_have_content` False records no content of it, even where content is recorded.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        identity: Mapping[str, Any],
        call_id: str | None,
        context: Context,
        *,
        may_have_content: bool = True,
    ) -> None:
        self._id, self._context, self._may_have_content = id, context, may_have_content
        self._shared = {name: identity[name] for name in _SHARED if name in identity}
        if call_id:
            self._shared[names.CALL_ID] = call_id

    def write(self, inputs: Sequence[Draft], choices: Sequence[Sequence[Draft]], start_ns: int, end_ns: int) -> None:
        """Write what was asked, at the call's start, and each choice of what was answered, at its end."""
        request, prefix = self.identify(inputs)
        for message in request:
            self._write_once(message, start_ns)
        for drafts in choices:
            answer, _ = self.identify(drafts, index=len(request), prefix=prefix)
            for message in answer:
                self._write_once(message, end_ns)

    def identify(
        self, drafts: Iterable[Draft], *, index: int = 0, prefix: bytes | None = None
    ) -> tuple[list[Message], bytes]:
        """Give each draft its place in the conversation: see `messages.identify`."""
        with self._consent():
            return messages.identify(self._id, drafts, index=index, prefix=prefix)

    def _consent(self) -> AbstractContextManager[None]:
        return nullcontext() if self._may_have_content else content.withheld()

    def _write_once(self, message: Message, at_ns: int) -> None:
        if _written.first(self._id, message.id):
            self.write_message(message, at_ns)

    def write_message(self, message: Message, at_ns: int, call_id: str | None = None) -> None:
        """Write one message, as said at `at_ns`, in the call `call_id` or in this conversation's own."""
        with self._consent():
            attributes, body = messages.record(message, with_content=content.on_events())
        attributes[names.EVENT_NAME] = names.MESSAGE_EVENT
        attributes.update(self._shared)
        if call_id:
            attributes[names.CALL_ID] = call_id
        body = messages.seal(attributes, body, self._shared.get(names.SESSION_ID, ""))
        telemetry.emit(names.MESSAGE_EVENT, attributes, timestamp_ns=at_ns, context=self._context, body=body)
