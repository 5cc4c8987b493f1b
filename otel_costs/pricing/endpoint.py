"""What a host says about the provider behind it: its region."""

import re
from typing import Final

_REGIONS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?P<region>[a-z]{2})\.api\.openai\.com$",
        r"^(?P<region>[a-z0-9]+)\.(?:api\.cognitive\.microsoft\.com|(?:stt|tts)\.speech\.microsoft\.com)$",
        r"^bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com$",
        r"^(?!global-)(?P<region>[a-z0-9-]+)-aiplatform\.googleapis\.com$",
        r"^aiplatform\.(?P<region>[a-z0-9-]+)\.rep\.googleapis\.com$",  # the United States or Europe
    )
)


def host(endpoint: str | None) -> str | None:
    """Return the host of an endpoint, given as a host, with a port or as a URL."""
    if not endpoint:
        return None
    authority = endpoint.strip().lower().partition("://")[2] or endpoint.strip().lower()
    return re.split(r"[/?#]", authority, maxsplit=1)[0].rpartition("@")[2].partition(":")[0] or None


def region(endpoint: str | None) -> str | None:
    """Return the region that a provider's host names, None if it names none."""
    for pattern in _REGIONS if endpoint else ():
        if match := pattern.match(endpoint or ""):
            return match["region"]
    return None
