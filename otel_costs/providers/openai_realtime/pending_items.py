"""The items of a conversation that wait until no more can become known of them, and how they become messages."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import partial
from secrets import token_hex
from typing import Final

from otel_costs.calls.message_log import is_new_message
from otel_costs.messages import Draft, content
from otel_costs.providers.openai_realtime.item import Item, write_messages
from otel_costs.providers.openai_realtime.owner import RANDOM, Owner
from otel_costs.runtime import background
from otel_costs.values.recent import Recent

MOST_PENDING: Final = 32
KNOWN: Final = 512
"""Items that are remembered as written, and more."""


class PendingItems:
    """What waits on one connection: at most `MOST_PENDING` items; the oldest is written as it is."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._known: Recent[str, bool] = Recent(KNOWN)
        self._wordless: OrderedDict[str, Item] = OrderedDict()
        self._count = 0
        self._mark = token_hex(4)
        self.since_response: deque[Draft] = deque(maxlen=MOST_PENDING)
        """What was written since the last response, for the span of the next."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        """Yield the items that wait; they may be written meanwhile."""
        return iter(tuple(self._items.values()))

    def get(self, item_id: object) -> Item | None:
        """Return an item that waits; None if it does not."""
        return self._items.get(item_id) if isinstance(item_id, str) else None

    def is_over(self, item_id: str) -> bool:
        """Return whether the item was written, or is no message."""
        return item_id not in self._items and self._known.get(item_id) is not None

    def begin(self, item_id: str) -> Item:
        """Return the item, which waits from now on if it did not."""
        if (found := self._items.get(item_id)) is not None:
            return found
        while len(self._items) >= MOST_PENDING:
            oldest = next(iter(self._items.values()))
            if oldest.drafts:
                self.write(oldest)
            else:
                del self._items[oldest.id]  # and begin again if an event has its content
        item = self._items[item_id] = Item(item_id, self.next_index())
        return item

    def next_index(self, count: int = 1) -> int:
        """Return the place of the next message, and leave room for `count` of them."""
        self._count += count
        return self._count - count

    def forget(self, item: Item) -> None:
        """Wait no longer for the item: it is no message."""
        self._items.pop(item.id, None)
        self._known[item.id] = True

    def write(self, item: Item) -> None:
        """Make the item a message, or one for each of its parts."""
        self.forget(item)
        if len(item.drafts) > 1:
            self.next_index(len(item.drafts) - 1)
        if content.on_spans():  # else an image would be kept until the next response for nothing
            self.since_response.extend(draft for draft in item.drafts if draft.role != "assistant")
        if self._is_new(item):
            if item.is_wordless:
                self._wordless[item.id] = item
                if len(self._wordless) > MOST_PENDING:
                    self._wordless.popitem(last=False)
            background.put(partial(write_messages, self._owner, item))

    def add_words(self, item_id: str, transcript: str, call_id: str | None) -> None:
        """Write a message without words once more, with its words: the store keeps the copy that has them."""
        item = self._wordless.pop(item_id, None)
        if item is not None and content.on_events():
            item.understand(transcript, item.call_id or call_id)
            background.put(partial(write_messages, self._owner, item))

    def _is_new(self, item: Item) -> bool:
        """Return whether the item is no message of this session yet; a local server's `item_1` is another each time."""
        if is_new_message(self._owner.session_id, item.id):
            return True
        if len(item.id) >= RANDOM:
            return False
        item.message_id = f"{item.id}~{self._mark}"
        return is_new_message(self._owner.session_id, item.message_id)
