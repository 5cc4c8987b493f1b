"""The store that the dashboards are asked of."""

from tests.queries.conftest import store

__all__ = ["store"]
