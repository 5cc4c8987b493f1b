"""What stands beside the package: in an installed one, or in the checkout."""

from pathlib import Path
from typing import Final

from otel_costs.cli.failure import Failure

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_CHECKOUT: Final = _PACKAGE.parent


def path(installed: str, checkout: str) -> Path:
    """Return a file or folder, by its name below `_files` and by that below the checkout. Raises Failure."""
    for found in (_PACKAGE / "_files" / installed, _CHECKOUT / checkout):
        if found.exists():
            return found
    raise Failure(f"{checkout} is not here: run it from a checkout of the project, or install otel-costs again")
