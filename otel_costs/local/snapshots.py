"""Snapshots for backups of a store that is served: no insert is half done in them."""

from typing import Final

import clickhouse_connect
from starlette.responses import JSONResponse, PlainTextResponse, Response

from otel_costs.store import StoreError
from otel_costs.store.backups import snapshot
from otel_costs.store.embedded import Engine

PATH: Final = snapshot.PATH

_WAIT_S: Final = 5.0
"""Seconds until an insert that runs must have ended: programs that send records wait as long, and may wait for ten."""


def answer(engine: Engine) -> Response:
    """Make a snapshot while inserts wait, and answer with the name of its database. Raises EngineError."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(engine.path))
    try:
        with engine.pause_inserts(_WAIT_S):
            return JSONResponse({"database": snapshot.take(client, written_to=False)})
    except TimeoutError:
        return PlainTextResponse("an insert does not end: see what the store does, and try again\n", 503)
    except StoreError as error:
        return PlainTextResponse(f"{error}\n", 503)
    finally:
        client.close()
