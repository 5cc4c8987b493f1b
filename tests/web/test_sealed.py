"""The API and sealed content: a search says that it has not seen it, and who has no key is told that it is sealed."""

import pytest

from otel_costs.local import Stack
from otel_costs.privacy.sealing import CONTENT, Sealer
from tests.cli.support import Ledger, at

from .support import got

pytestmark = pytest.mark.long


def test_what_a_search_has_not_seen(emptied_stack: Stack) -> None:
    """Only where there is any, and something was looked for."""
    url = f"{emptied_stack.http_url}/api/v1"
    ledger = Ledger(emptied_stack.http_url)
    ledger.call("plain", at("10:00:00"), user__id="ada")
    ledger.message("plain", at("10:00:00"), "user", "a whisper", user__id="ada")
    found = got(f"{url}/sessions?q=whisper")
    assert ([row["session_id"] for row in found["sessions"]], "sealed_not_searched" in found) == (["plain"], False)
    ledger.call("secret", at("11:00:00"), user__id="ada")
    sealed = Sealer("3d" * 32).seal("a whisper", "secret", "m", CONTENT)
    ledger.message("secret", at("11:00:00"), "user", sealed, user__id="ada")
    found = got(f"{url}/sessions?q=whisper")
    assert [row["session_id"] for row in found["sessions"]] == ["plain"]
    assert found["sealed_not_searched"] is True
    assert "sealed_not_searched" not in got(f"{url}/sessions")
    (message,) = got(f"{url}/sessions/secret")["messages"]
    assert (message["content"], message["metadata"]["content_state"]) == ("", "sealed")
    assert "message_id" not in message["metadata"]
