"""The shapes of alerts: what was found and sent, by which rules, to which receivers, and what is silenced."""

from typing import Annotated

from pydantic import Field

from otel_costs.web.models import Body, GivenDollars, Shape, Time


class Alert(Shape):
    """Something that a rule found, from when to when."""

    id: str
    rule: str
    message: str
    began_at: Time
    ended_at: Time | None = Field(description="null while it lasts")
    state: str = Field(description="open, acknowledged or ended")
    sent_to: list[str] = Field(description="receivers that got it")
    user_id: str
    session_id: str


class AlertRule(Shape):
    """A rule, with the fields that docs/alerts.md has for its `when`."""

    name: str
    when: str
    source: str = Field(description="file, of the program that sends, or store")


class Silence(Shape):
    """Nothing is sent of a rule or an event until then; an empty name is all."""

    name: str
    until: Time


class Alerts(Shape):
    """What was found, the newest first, and what is watched."""

    alerts: list[Alert]
    rules: list[AlertRule]
    silences: list[Silence]
    is_watched: bool = Field(description="whether a program watches the store, and sends")
    receivers: list[str] = Field(description="the names of those whom that program tells")


class Done(Shape):
    """It is written."""

    done: bool


_Word = Annotated[str, Field(min_length=1, max_length=200)]


class RuleBody(Body):
    """A rule as a file has it; which fields it needs is said by its `when` (docs/alerts.md)."""

    name: _Word
    when: Annotated[str, Field(max_length=40)]
    to: Annotated[list[_Word], Field(max_length=50)] | None = Field(None, description="receivers; all if not given")
    shares: Annotated[list[GivenDollars], Field(max_length=20)] | None = None
    usd: GivenDollars | None = None
    times: GivenDollars | None = None
    min_usd: GivenDollars | None = None
    percent: GivenDollars | None = None
    by: _Word | None = None
    active: _Word | None = None
    silent: _Word | None = None
    zone: _Word | None = None


class RuleName(Body):
    """A rule of the store, by its name; any name can be in a body, and not in a path."""

    name: _Word


class EventBody(Body):
    """An event, by its id."""

    id: _Word


GivenHours = Annotated[float, Field(ge=0, le=8760)]


class SilenceBody(Body):
    """A rule or an event that nothing is sent of for some hours; an empty name is all, 0 hours end a silence."""

    name: Annotated[str, Field(max_length=200)] = ""
    hours: GivenHours = 1
