"""The API and pages of reports: an ASGI application, for `otel-costs local`, `otel-costs web`, or your own program.

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
    """Return an ASGI application with the API and the pages of the store at `dsn`; None is that of OTEL_COSTS_DSN.

    - `writer_dsn` is the address of the store with a user that may write. Without it nothing can be written.
    - `token` is what requests must bring as `Authorization: Bearer`. None lets every request in that reaches the
      application: mount it behind the login of your program then.
    - `content` is the right to read the content of messages, and `write` the right to record calls and set budgets:
      a bool, or a function of the request that returns one, and may be async.
    - `who` is a function of the request, which may be async, that returns the name of its user. The logger
      `otel_costs.access` writes a line with it, at INFO, each time that content is read.
    - `jaeger_url` is the address of Jaeger's pages, for links to traces; None is that of OTEL_COSTS_JAEGER_URL.
    - `allocation` is the file of chargeback rules, which is read once; None is that of OTEL_COSTS_ALLOCATION.

    The store is connected to at the first request, and again after it was away. Raises ImportError where the extra
    `web` is not installed, ValueError for an invalid `jaeger_url` or OTEL_COSTS_TZ, and AllocationError (a ValueError)
    for invalid rules.
    """
    from otel_costs.chargeback import rules_file  # noqa: PLC0415
    from otel_costs.web.access import HostAccess  # noqa: PLC0415  # FastAPI takes half a second, and is an extra
    from otel_costs.web.application import application  # noqa: PLC0415
    from otel_costs.web.connected_store import ConnectedStore  # noqa: PLC0415
    from otel_costs.web.page_settings import PageSettings  # noqa: PLC0415

    access = HostAccess(token=token, content=content, write=write, who=who)
    rules = rules_file.of_environment(allocation)
    return application(ConnectedStore(dsn, writer_dsn), access, settings=PageSettings.of(jaeger_url), allocation=rules)
