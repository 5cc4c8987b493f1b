"""Whether a host is this machine itself, reached by no other."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether a host of an address is `localhost`, or an IP address of loopback."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
