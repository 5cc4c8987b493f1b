"""Which hosts are this machine itself."""

import pytest

from otel_costs.values.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    """By its name, and by any address of loopback."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example.com", "0.0.0.0", "10.0.0.1", "127.0.0.1.example.com", "::"])
def test_others(host: str) -> None:
    """A name that only begins so, or an address that others reach, is not."""
    assert not is_loopback(host)
