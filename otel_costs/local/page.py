"""The report page: one file without anything from elsewhere, whose script puts text into the page and never markup.

The policy that goes with it lets nothing run but that script, so that HTML in a model's answer stays text even if the
script had a fault.
"""

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from starlette.responses import Response

_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


def response() -> Response:
    """Answer with the page."""
    content, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return Response(content, media_type="text/html", headers=headers)


@cache
def _page() -> tuple[bytes, str]:
    content = resources.files(__package__).joinpath("page.html").read_bytes()
    hashes = {kind.decode(): _hash(inline) for kind, inline in _INLINE.findall(content)}
    policy = (
        f"default-src 'none'; script-src '{hashes['script']}'; style-src '{hashes['style']}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return content, policy


def _hash(inline: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(inline).digest()).decode()
