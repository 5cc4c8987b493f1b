"""The access to `otel-costs web`: tokens that stand for roles, or a proxy that names a request's roles in a header."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request

from otel_costs.web.access import Policy, RefusedError, Rights, check_origin, offers

COSTS: Final = "costs"
CONVERSATIONS: Final = "conversations"
WRITING: Final = "writing"
ROLES: Final = (COSTS, CONVERSATIONS, WRITING)
"""What a request may do: read what calls cost, also read what was said, also write."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of each token; with none, everybody has all roles.

    `header`: the name of the header in which a proxy, which brings a token too, says the roles of a request, separated
    by commas: it has those alone. `user_header`: that in which the proxy says whose request it is. `loopback`: the port
    is bound to loopback.
    """

    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    header: str | None = None
    loopback: bool = True
    user_header: str | None = None

    async def rights(self, request: Request) -> Rights:
        """Return what a request may do. Raises RefusedError."""
        # A proxy calls us by the name that its users have for it; it has brought the token.
        if self.header is None and not Policy(None, self.loopback).is_own_host(request.headers):
            raise RefusedError(403, "the Host header must be localhost, 127.0.0.1 or [::1]")
        check_origin(request)
        roles = self._roles(request.headers)
        if COSTS not in roles:
            raise RefusedError(403, f"the proxy gives this request no role: {self.header} is to have {COSTS} in it")
        return Rights(CONVERSATIONS in roles, WRITING in roles, self._who(request.headers, roles))

    def _who(self, headers: Headers, roles: frozenset[str]) -> str:
        """Return the user of a request: as the proxy names it, else by the roles of its token."""
        if self.user_header is not None and (named := headers.get(self.user_header)):
            return named
        named_roles = ", ".join(role for role in ROLES if role in roles)
        return f"token of {named_roles}" if self.tokens else "anybody on this machine"

    def _roles(self, headers: Headers) -> frozenset[str]:
        if not self.tokens:
            return frozenset(ROLES)
        brought = offers(headers)
        # All are compared, so that the time tells nothing.
        known = [roles for token, roles in self.tokens.items() for offer in brought if _is_same(token, offer)]
        if not known:
            raise RefusedError(401, "this server wants a token: as Authorization: Bearer, or as password")
        if self.header is None:
            return frozenset().union(*known)
        granted = frozenset(role.strip() for value in headers.getlist(self.header) for role in value.split(","))
        return granted & frozenset(ROLES)


def _is_same(token: str, offer: str) -> bool:
    return hmac.compare_digest(token.encode(), offer.encode())
