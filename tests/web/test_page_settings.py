"""What pages are told of the application, and which addresses of a Jaeger are taken."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import otel_costs
from otel_costs.cli.app import app
from otel_costs.local import Stack, StartError
from otel_costs.web.page_settings import Otlp, PageSettings, checked_url
from tests.local.support import send

from .support import served


def told(url: str) -> Any:
    """Return the settings in the document of a page."""
    text = send(f"{url}/sessions", headers={"Accept": "text/html"}).text
    found = re.search(r'<script type="application/json" id="settings">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


def test_what_a_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment, where nothing is given."""
    monkeypatch.setenv("OTEL_COSTS_JAEGER_URL", "https://traces.example/jaeger/")
    monkeypatch.setenv("OTEL_COSTS_TZ", "Asia/Tokyo")
    with served(otel_costs.web.app(dsn="http://127.0.0.1:9")) as url:
        found = told(url)
    assert (found["trace_url"], found["tz"]) == ("https://traces.example/jaeger/trace/{trace_id}", "Asia/Tokyo")
    assert (found["otlp"], found["is_local"], found["content"]) == (None, False, False)
    assert found["version"] == PageSettings.of("").version
    with served(otel_costs.web.app(dsn="http://127.0.0.1:9", jaeger_url="")) as url:
        assert told(url)["trace_url"] is None


@pytest.mark.long
def test_local_tells_where_it_receives(tmp_path: Path) -> None:
    """The ports that are in force."""
    with Stack(tmp_path / "data", jaeger_url="http://localhost:16686") as stack:
        found = told(stack.http_url)
        assert found["otlp"] == {"http": stack.otlp_http_url, "grpc": stack.otlp_grpc_url}
    assert (found["is_local"], found["trace_url"]) == (True, "http://localhost:16686/trace/{trace_id}")
    with pytest.raises(StartError, match="no address of a Jaeger"), Stack(tmp_path / "data", jaeger_url="jaeger"):
        pass


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:16686", "http://localhost:16686"),
        ("https://example.com/jaeger/ui/", "https://example.com/jaeger/ui"),
        (" http://[::1]:16686 ", "http://[::1]:16686"),
    ],
)
def test_an_address(text: str, url: str) -> None:
    """Without the slash at its end."""
    settings = PageSettings(jaeger_url=checked_url(text), otlp=Otlp("a", "b"))
    assert settings.trace_url == f"{url}/trace/{{trace_id}}"


@pytest.mark.parametrize(
    "text",
    [
        *("localhost:16686", "/x", "ftp://example.com", "javascript:alert(1)", "http://", "http://a b", "http://x\ny"),
        *('http://x/"onclick=', "http://x/<script>", "http://x?a=1", "http://x/#a", "http://x/{trace_id}"),
        *("http://x:99999", "http://[::1", "http://user:secret@x", f"http://{'x' * 2000}"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    """A link of it would lead anywhere, or tell a password to each reader."""
    with pytest.raises(ValueError, match="address of a Jaeger") as refused:
        checked_url(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("command", ["web", "local"])
def test_a_command_says_what_is_wrong(command: str, tmp_path: Path) -> None:
    """Before it serves anything."""
    more = ["--data", str(tmp_path)] if command == "local" else []
    said = CliRunner().invoke(app, [command, "--jaeger-url", "jaeger", *more])
    assert said.exit_code == 2
    assert "is no address of a Jaeger" in said.output
