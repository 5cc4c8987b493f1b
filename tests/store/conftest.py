"""The store that the views are tested on."""

from tests.queries.conftest import store

__all__ = ["store"]
