"""The stand-in that answers in the place of providers, on loopback and for nothing, in threads of this process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from typing import Final

from otel_costs.cli import shipped
from otel_costs.cli.failure import Failure

_NAME: Final = "otel_costs_stand_in"


@contextmanager
def serving() -> Iterator[str]:
    """Have one on a port of its own, and yield its URL. It ends with us, however we end."""
    if _NAME not in sys.modules:
        folder = shipped.path("provider", "tests/support/provider")
        spec = spec_from_file_location(_NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise Failure(f"{folder} cannot be loaded: install otel-costs again")
        sys.modules[_NAME] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_NAME])
    with sys.modules[_NAME].Provider() as provider:
        yield provider.base_url
