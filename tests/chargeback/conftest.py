"""The store that rules are tried on."""

from tests.queries.conftest import store

__all__ = ["store"]
