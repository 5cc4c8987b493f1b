"""Which model answers at a deployment, and in which zone or region: what no answer says, and a price depends on."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

ZONES: Final = ("global", "data_zone_us", "data_zone_eu", "regional")
"""Kinds of deployments, as Azure prices them: answered anywhere, within a data zone, or in one region."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as a price file has it; `endpoint` None is any host.

    `model` is the one that is deployed, where the deployment's name does not say it. `multiplier` is what the prices of
    a global deployment are multiplied by, None where the prices know it by `zone` or `region`.
    """

    provider: str
    deployment: str
    endpoint: str | None = None
    model: str | None = None
    zone: str | None = None
    region: str | None = None
    multiplier: Decimal | None = None
    line: int = 0

    @property
    def name(self) -> str:
        """What it is called in a price's id."""
        return f"deployment:{self.deployment}" + (f"@{self.endpoint}" if self.endpoint else "")


def find(
    deployments: Iterable[Deployment], provider: str, names: Iterable[str | None], endpoint: str | None
) -> Deployment | None:
    """Return the deployment that a call went to, None if it is not known: one of a host goes before one of any.

    `names` are what the call may call it, in lower case: the deployment, or the model in its place.
    """
    called = set(names)
    best: Deployment | None = None
    for one in deployments:
        is_it = one.provider == provider and one.deployment in called and one.endpoint in (None, endpoint)
        if is_it and (best is None or best.endpoint is None):
            best = one
    return best
