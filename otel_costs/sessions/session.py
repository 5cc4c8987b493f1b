"""The session that calls belong to, with its user, scenario, tags and budget, and the step within it."""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.privacy import pseudonyms
from otel_costs.runtime import background, telemetry, uninstrumented
from otel_costs.sessions import dollars, totals
from otel_costs.sessions.reservations import BudgetExceeded, Limit, unpriced_given
from otel_costs.sessions.scope import Scope, current_scope, entered
from otel_costs.sessions.scoped import Scoped
from otel_costs.sessions.summary import write
from otel_costs.sessions.totals import Totals
from otel_costs.usage import Usage
from otel_costs.values import sanitize

__all__ = [
    "BudgetExceeded",
    "ConnectionSession",
    "Scope",
    "Session",
    "Step",
    "Totals",
    "current_scope",
    "entered",
    "forget",
]

MAX_TAGS: Final = 32
"""Tags that a session keeps, and a call of the application's own: the SDK drops the oldest attributes past 128."""

CONVERSATION: Final = "conversation"
"""The kind of a session that is given none."""

# How long the end of a session may wait for its last calls to be written.
_WRITING_S: Final = 1.0


class Session(Scoped):
    """A conversation, training run or request whose calls are counted together.

    `id` is yours: calls of several processes with the same id are one session in every report. Calls in a session
    without an id (None or empty) belong to none. `user`, `kind` and `scenario` are dimensions of the reports; `kind` is
    `conversation` by default, `creation`, or a word of yours. Further keyword arguments are tags.

    `budget_usd` is what the session may spend. At 80 % a warning is logged once, and a call that does not fit raises
    `BudgetExceeded` before it is sent; what calls under way may cost is reserved. Sessions that are opened inside it
    count in its budget. None sets no limit, or leaves the one that the session has; a value that is no amount raises
    ValueError. `soft` True logs the warning, and refuses nothing. `unpriced` is `allow` (the default) or `refuse`:
    whether a call whose price is not known may be sent.

    `content` False records no content of its messages, nor of those in sessions that are opened inside it; it must be
    given each time that the session is opened. True or None is as OpenTelemetry's variable says.

    A generator that opens a session in its body shares it with its consumer, until it ends; decorate it instead.
    """

    def __init__(
        self,
        id: object,  # noqa: A002  the word of the contract
        *,
        user: object = None,
        kind: object = None,
        scenario: object = None,
        budget_usd: Decimal | str | float | None = None,
        unpriced: object = None,
        soft: object = None,
        content: object = None,
        **tags: object,
    ) -> None:
        super().__init__()
        self.id = "" if id is None else _identifier(id)
        self.user = None if user is None else _identifier(user)
        self.kind = None if not self.id else CONVERSATION if kind in (None, "") else _identifier(kind)
        self.scenario = None if scenario is None else _identifier(scenario)
        self.budget_usd = dollars.given("budget_usd", budget_usd)
        self.unpriced = unpriced_given(unpriced)
        self.soft = None if soft is None else bool(soft)
        self.content = content is None or bool(content)
        self.tags = _tags(tags)
        self._totals = totals.of(self.id) if self.id else Totals()
        self._process = telemetry.process
        self._endings: list[Callable[[], object]] = []
        self.follower: object | None = None
        """The observer of events that the application brings (`observe_realtime_event`)."""

    def __reduce__(self) -> tuple[Any, ...]:
        options: dict[str, object] = {"user": self.user, "kind": self.kind, "scenario": self.scenario}
        options |= {
            "budget_usd": self.budget_usd,
            "unpriced": self.unpriced,
            "soft": self.soft,
            "content": self.content,
        }
        return _session, (self.id, {**self.tags, **options})

    @property
    def cost_usd(self) -> Decimal:
        """The cost in USD so far, in this process; calls without a known price are not in it."""
        return self.totals.cost_usd

    @property
    def totals(self) -> Totals:
        """What was used and spent so far, in this process."""
        background.drain()
        return self._totals

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of every call of this session."""
        found = {
            names.SESSION_ID: self.id or None,
            names.USER_ID: pseudonyms.recorded(self.user) if self.user else self.user,
            names.SESSION_KIND: self.kind,
            names.SCENARIO: self.scenario,
        }
        found.update({names.TAG_PREFIX + key: value for key, value in self.tags.items()})
        return {name: value for name, value in found.items() if value is not None}

    @property
    def limit(self) -> Limit | None:
        """What the session may spend, which it keeps when it is opened again; None where no limit was set."""
        if self._totals.limit is None and self._limits:
            self._set_limit()
        return self._totals.limit

    @property
    def _limits(self) -> bool:
        return self.budget_usd is not None or self.unpriced is not None

    def _set_limit(self) -> None:
        found = self._totals.limited(self.id)
        if self.budget_usd is not None:
            found.limit_usd = self.budget_usd
        found.unpriced = self.unpriced or found.unpriced
        found.soft = found.soft if self.soft is None else self.soft

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call; `cost_usd` None is a call without a known price."""
        limit = self.limit
        self._totals.add(usage, cost_usd)
        if limit is not None:
            limit.warn()

    def before_end(self, action: Callable[[], object]) -> None:
        """Have `action`, which raises nothing, called when the session ends: for calls that end with it."""
        self._endings.append(action)

    def _place(self, outer: Scope | None) -> Scope:
        if self._limits:
            uninstrumented.warn(uninstrumented.BUDGET)
            self._set_limit()
        self.content = self.content and (outer is None or outer.content)
        return Scope(self, None, outer, self)

    def _ended(self, *, dropped: bool) -> None:
        # A forked child that leaves the block did not begin the session: its parent says the last word.
        if telemetry.process is not self._process or not (self.id or self._endings):
            return
        # After its calls, and in the context that the application's log filters and traces know.
        last_word = partial(copy_context().run, write, self.id, self.attributes, self._totals)
        if dropped:
            # The thread that collects garbage may hold any lock, and an interpreter that ends starts no thread.
            background.put_from_finalizer(partial(self._end, last_word))
        else:
            self._end(last_word)
            self._wait_for_calls()
            if not self._totals.calls:
                uninstrumented.warn(uninstrumented.SESSION)

    def _end(self, last_word: Callable[[], object]) -> None:
        endings, self._endings = self._endings, []
        for action in endings:
            action()
        if self.id:
            background.put(last_word)

    def _wait_for_calls(self) -> None:
        background.drain(_WRITING_S)


class ConnectionSession(Session):
    """The session of a connection that was opened outside any. It may end in an event loop, where nothing may wait."""

    def open(self) -> Scope:
        """Begin the session without making it the current one."""
        return self._open()

    def close(self, scope: Scope) -> None:
        """End what `open` began."""
        self._close(scope, dropped=False)

    def _wait_for_calls(self) -> None:
        """Leave the last calls to the thread that writes them."""


class Step(Scoped):
    """A named part of a session, such as `analysis`; reports can be split by it."""

    def __init__(self, name: object) -> None:
        super().__init__()
        self.name = _identifier(name)
        self._is_in_session = False

    def _place(self, outer: Scope | None) -> Scope:
        self._is_in_session = outer is not None and outer.session is not None
        return Scope(outer.session if outer else None, self.name, outer, self)

    def _ended(self, *, dropped: bool) -> None:
        if not dropped and not self._is_in_session:  # else its session says it
            uninstrumented.warn(uninstrumented.STEP)


def forget() -> None:
    """Forget the totals of the sessions; as after a restart."""
    totals.forget()


def _session(session_id: str, options: Mapping[str, Any]) -> Session:
    return Session(session_id, **options)


def _identifier(value: object) -> str:
    """Return what names a session, user, scenario, tag or step; never raises."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    return sanitize.identifier(value)


def _tags(given: Mapping[str, object]) -> dict[str, str]:
    kept = {_identifier(key): _identifier(value) for key, value in list(given.items())[:MAX_TAGS] if value is not None}
    if len(given) > MAX_TAGS:
        telemetry.warn_once("tags", "A session has %d tags; the first %d are kept", len(given), MAX_TAGS)
    return kept
