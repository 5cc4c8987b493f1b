"""The API of reports over HTTP: an ASGI application that `otel-costs local` and `otel-costs web` serve, or a program.

app.mount("/costs", otel_costs.web.app(dsn="http://reader:...@clickhouse:8123"))    # FastAPI, Starlette: /costs/api/v1/

What it needs is in the extra `web`, and is imported when an application is made.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from otel_costs.web.access import Right, Who

__all__ = ["app"]


def app(
    *,
    dsn: str | None = None,
    writer_dsn: str | None = None,
    token: str | None = None,
    content: "Right" = False,
    write: "Right" = False,
    who: "Who | None" = None,
    jaeger_url: str | None = None,
    allocation: "str | PathLike[str] | None" = None,
) -> Any:
    """Return the ASGI application over the store at `dsn`; None is that of OTEL_COSTS_DSN.

    It is for everybody who reaches it, unless a `token` is given, which requests bring as `Authorization: Bearer`; in
    a program it stands behind the login of the program. `content`: who may read what was said; `write`: who may record
    calls and set budgets: a bool, or a function of the request, which may be async. `writer_dsn` is the address with a
    user who may write; where it is None, nobody may, whatever `write` says. `who` is a function of the request, which
    may be async, that returns whose it is: the logger `otel_costs.access` has a line, at INFO, for each reading of what
    was said. `jaeger_url`: where pages link to a call's
    trace, the address of Jaeger's pages; None is that of OTEL_COSTS_JAEGER_URL. `allocation`: the file of rules that
    say whose spend is; None is that of OTEL_COSTS_ALLOCATION. It is read once.

    The store is connected to with the first request, and again after it was away. Raises ImportError where the extra
    `web` is not installed, ValueError for a `jaeger_url` or an OTEL_COSTS_TZ that is none, AllocationError (a
    ValueError) for rules that are none.
    """
    from otel_costs.chargeback import rules_file  # noqa: PLC0415
    from otel_costs.web.access import HostAccess  # noqa: PLC0415  # FastAPI takes half a second, and is an extra
    from otel_costs.web.application import application  # noqa: PLC0415
    from otel_costs.web.connected_store import ConnectedStore  # noqa: PLC0415
    from otel_costs.web.page_settings import PageSettings  # noqa: PLC0415

    access = HostAccess(token=token, content=content, write=write, who=who)
    rules = rules_file.of_environment(allocation)
    return application(ConnectedStore(dsn, writer_dsn), access, settings=PageSettings.of(jaeger_url), allocation=rules)
