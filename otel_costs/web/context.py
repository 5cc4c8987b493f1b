"""What endpoints are given: the store, the rights of the request, and whatever more an application shares."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from otel_costs.web.access import RefusedError, Rights
from otel_costs.web.store import Store

RIGHTS: Final = "otel_costs.rights"
"""Where the rights of a request are in its scope; they are found out before anything of it is read."""

# async, though they wait for nothing: FastAPI would call them in threads.


async def _store(request: Request) -> Store:
    found: Store = request.app.state.store
    return found


async def _rights(request: Request) -> Rights:
    found: Rights = request.scope[RIGHTS]
    return found


async def _writing(rights: Annotated[Rights, Depends(_rights)]) -> None:
    if not rights.write:
        raise RefusedError(403, "this request may not write: that is a right of its own")


StoreOf = Annotated[Store, Depends(_store)]
RightsOf = Annotated[Rights, Depends(_rights)]
MayWrite = Depends(_writing)
