"""Whose call it is: the session, its user, scenario, tags and budget, and the step within it."""

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from decimal import Context as DecimalContext
from decimal import Decimal
from functools import cached_property, wraps
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from otel_costs import attributes as names
from otel_costs import baggage, clean, outbox, telemetry
from otel_costs.usage import NOTHING, Usage

F = TypeVar("F", bound=Callable[..., Any])

SESSIONS_KEPT: Final = 10_000
"""Sessions whose totals one process keeps; the least recently used are forgotten."""

BUDGET_WARNING: Final = Decimal("0.8")

# The host may have set the ambient decimal context to anything.
_EXACT: Final = DecimalContext(prec=60)


class BudgetExceeded(Exception):  # noqa: N818  the name is the public contract
    """A call was not sent, since its session has spent its budget.

    `session_id`, `budget_usd` and `spent_usd` (both Decimal) say which and how much.
    """

    def __init__(self, session_id: str, budget_usd: Decimal, spent_usd: Decimal) -> None:
        super().__init__(f"session {session_id!r} has spent ${spent_usd} of its budget of ${budget_usd}")
        self.session_id, self.budget_usd, self.spent_usd = session_id, budget_usd, spent_usd

    def __reduce__(self) -> tuple[type[Self], tuple[str, Decimal, Decimal]]:
        return type(self), (self.session_id, self.budget_usd, self.spent_usd)


class Totals:
    """What a session has used and cost so far, in this process."""

    def __init__(self) -> None:
        self.cost_usd = Decimal(0)
        self.calls = 0
        self.unpriced_calls = 0
        self.usage = NOTHING
        self.budget_warned = False
        self.lock = threading.Lock()

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        with self.lock:
            self.calls += 1
            if cost_usd is None:
                self.unpriced_calls += 1
            else:
                self.cost_usd = _EXACT.add(self.cost_usd, cost_usd)
            if usage is not None:
                self.usage += usage


_totals: OrderedDict[str, Totals] = OrderedDict()
_totals_lock = threading.Lock()


def _totals_of(session_id: str) -> Totals:
    with _totals_lock:
        totals = _totals.get(session_id)
        if totals is None:
            totals = _totals[session_id] = Totals()
            if len(_totals) > SESSIONS_KEPT:
                _totals.popitem(last=False)
        else:
            _totals.move_to_end(session_id)
        return totals


def forget() -> None:
    """Forget the totals of sessions that are not open; as after a restart."""
    with _totals_lock:
        _totals.clear()


class Scope:
    """A place in the program: the session and the step that calls made there belong to."""

    __slots__ = ("__dict__", "parent", "session", "step")

    def __init__(self, session: "Session | None", step: str | None, parent: "Scope | None") -> None:
        self.session, self.step, self.parent = session, step, parent

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of every call made here."""
        found = dict(self.session.attributes) if self.session else {}
        if self.step:
            found[names.STEP] = self.step
        return found


_scope: ContextVar[Scope | None] = ContextVar("otel_costs_scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost open session or step of this task or thread; None outside any."""
    return _scope.get()


def enter_scope(scope: Scope | None) -> Scope | None:
    """Make `scope` the current one and return the one before."""
    before = _scope.get()
    _scope.set(scope)
    return before


class _Scoped:
    """Opens a scope: with `with`, with `async with`, and around a function, coroutine or generator as a decorator.

    No contextvar tokens: a generator may be closed in another context than it was opened in, where resetting a token raises.
    """

    def _open(self) -> Scope:
        raise NotImplementedError

    def _closed(self) -> None:
        """Called when a scope of this object was left."""

    def _enter(self) -> Scope:
        scope = self._open()
        _scope.set(scope)
        return scope

    def _exit(self) -> None:
        scope = _scope.get()
        if scope is not None and self._owns(scope):
            _scope.set(scope.parent)
        self._closed()

    def _owns(self, scope: Scope) -> bool:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._exit()

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._exit()

    def __call__(self, function: F) -> F:
        """Run each call of `function` in a scope of its own."""
        return _decorated(self, function)


class Session(_Scoped):
    """A conversation, training run or request whose calls are counted together.

    `id` is yours; calls of several processes with the same id are one session in every report. `user` and `scenario`
    are dimensions of the reports, further keyword arguments are tags. `budget_usd` warns once at 80 %, and past 100 %
    the next call raises `BudgetExceeded` before it is sent; None sets no limit.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  the word of the contract
        *,
        user: str | None = None,
        scenario: str | None = None,
        budget_usd: Decimal | str | int | None = None,
        **tags: str,
    ) -> None:
        self.id = clean.identifier(str(id))
        self.user = None if user is None else clean.identifier(str(user))
        self.scenario = None if scenario is None else clean.identifier(str(scenario))
        self.budget_usd = None if budget_usd is None else Decimal(str(budget_usd))
        self.tags = {key: clean.identifier(str(value)) for key, value in tags.items()}
        self._totals = _totals_of(self.id)
        self._opened = 0
        self._lock = threading.Lock()

    @property
    def cost_usd(self) -> Decimal:
        """The cost in USD so far, in this process; calls without a known price are not in it."""
        outbox.drain()
        return self._totals.cost_usd

    @property
    def totals(self) -> Totals:
        """What was used and spent so far, in this process."""
        outbox.drain()
        return self._totals

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of every call of this session."""
        found: dict[str, Any] = {names.SESSION_ID: self.id}
        if self.user is not None:
            found[names.USER_ID] = self.user
        if self.scenario is not None:
            found[names.SCENARIO] = self.scenario
        for key, value in self.tags.items():
            found[names.TAG_PREFIX + key] = value
        return found

    def check_budget(self) -> None:
        """Raise `BudgetExceeded` if the budget is spent."""
        if self.budget_usd is not None and self.cost_usd >= self.budget_usd:
            raise BudgetExceeded(self.id, self.budget_usd, self.cost_usd)

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call; `cost_usd` None is a call without a known price."""
        self._totals.add(usage, cost_usd)
        if self.budget_usd is None or self._totals.budget_warned:
            return
        if self._totals.cost_usd >= _EXACT.multiply(self.budget_usd, BUDGET_WARNING):
            self._totals.budget_warned = True
            telemetry.log.warning(
                "[COST] Session %s has spent $%s of its budget of $%s", self.id, self._totals.cost_usd, self.budget_usd
            )

    def _open(self) -> Scope:
        with self._lock:
            self._opened += 1
        baggage.carry(self.id, self.user)
        return Scope(self, None, _scope.get())

    def _owns(self, scope: Scope) -> bool:
        return scope.session is self and scope.step is None

    def _closed(self) -> None:
        outer = scope.session if (scope := _scope.get()) else None
        baggage.carry(outer.id if outer else None, outer.user if outer else None)
        with self._lock:
            self._opened -= 1
            last = self._opened == 0
        if last:
            outbox.put(self._end)  # behind the jobs of its calls

    @telemetry.shielded("write the record of a session")
    def _end(self) -> None:
        totals = self._totals
        telemetry.log.info("[COST] Session %s: $%s (%s)", self.id, _money(totals.cost_usd), _tokens(totals))
        record = {names.EVENT_NAME: names.SESSION_EVENT, **self.attributes}
        for unit, quantity in totals.usage.quantities.items():
            record[names.usage_attribute(unit)] = quantity if isinstance(quantity, int) else str(quantity)
        record[names.SESSION_CALLS] = totals.calls
        record[names.SESSION_UNPRICED_CALLS] = totals.unpriced_calls
        record[names.COST_USD] = f"{totals.cost_usd:f}"
        telemetry.emit(names.SESSION_EVENT, record, timestamp_ns=time.time_ns())


def _money(amount: Decimal) -> str:
    """Write exactly, with at least six decimals."""
    text = f"{amount:f}"
    decimals = len(text.partition(".")[2])
    return text if decimals >= 6 else f"{amount:.6f}"


def _tokens(totals: Totals) -> str:
    used = ", ".join(f"{unit} {quantity}" for unit, quantity in totals.usage.quantities.items() if quantity)
    calls = f"{totals.calls} calls" + (f", {totals.unpriced_calls} without a price" if totals.unpriced_calls else "")
    return f"{calls}; {used}" if used else calls


class Step(_Scoped):
    """A named part of a session, such as `analysis`; reports can be split by it."""

    def __init__(self, name: str) -> None:
        self.name = clean.identifier(str(name))

    def _open(self) -> Scope:
        before = _scope.get()
        return Scope(before.session if before else None, self.name, before)

    def _owns(self, scope: Scope) -> bool:
        return scope.step == self.name


def _decorated(scoped: _Scoped, function: F) -> F:
    wrapper: Any
    if inspect.isasyncgenfunction(function):

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            iterator = function(*args, **kwargs)
            async for item in _resumed_async(scoped, iterator):
                yield item

    elif inspect.isgeneratorfunction(function):

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return (yield from _resumed(scoped, function(*args, **kwargs)))

    elif inspect.iscoroutinefunction(function):

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            async with scoped:
                return await function(*args, **kwargs)

    else:

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with scoped:
                return function(*args, **kwargs)

    return wrapper  # type: ignore[no-any-return]


def _resumed(scoped: _Scoped, iterator: Any) -> Any:
    """Run a generator in the scope, and its consumer outside it: a generator shares its consumer's context."""
    scope = scoped._open()
    resume, value = iterator.send, None
    try:
        while True:
            outside = enter_scope(scope)
            try:
                item = resume(value)
            except StopIteration as stop:
                return stop.value
            finally:
                enter_scope(outside)
            try:
                value = yield item
                resume = iterator.send
            except GeneratorExit:
                iterator.close()
                raise
            except BaseException as error:  # noqa: BLE001
                resume, value = iterator.throw, error
    finally:
        scoped._closed()


async def _resumed_async(scoped: _Scoped, iterator: Any) -> Any:
    scope = scoped._open()
    resume, value = iterator.asend, None
    try:
        while True:
            outside = enter_scope(scope)
            try:
                item = await resume(value)
            except StopAsyncIteration:
                return
            finally:
                enter_scope(outside)
            try:
                value = yield item
                resume = iterator.asend
            except GeneratorExit:
                await iterator.aclose()
                raise
            except BaseException as error:  # noqa: BLE001
                resume, value = iterator.athrow, error
    finally:
        scoped._closed()
