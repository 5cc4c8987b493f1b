"""Redirects that urllib does not follow: what goes with a request is for the address that it was made for."""

import urllib.request
from typing import Any


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer that it is.

    Followed, a password or a token would be sent along, to wherever that is, and a POST would become a GET, whose
    answer says nothing of what was sent.
    """

    def redirect_request(self, *_: Any) -> None:
        """Name no request that would follow."""
