"""Who is behind a host."""

import logging
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from otel_costs import hosts
from otel_costs.runtime import telemetry


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_COSTS_PROVIDERS", raising=False)
    monkeypatch.delenv("OTEL_COSTS_STREAM_USAGE", raising=False)
    monkeypatch.setattr(telemetry, "_warned", set())
    hosts._host.cache_clear()
    hosts._configured.cache_clear()


def client(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-secret", base_url=base_url)


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://acme.openai.azure.com/openai/v1/", "azure.ai.openai"),
        ("https://acme.services.ai.azure.com/openai/v1/", "azure.ai.openai"),
        ("https://acme.azure-api.net/openai", "azure.ai.openai"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.x.ai/v1", "x_ai"),
        ("https://us-east-1.api.x.ai/v1", "x_ai"),
        ("https://api.perplexity.ai", "perplexity"),
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gcp.gemini"),
        ("https://us-central1-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://bedrock-mantle.us-west-2.api.aws/openai/v1", "aws.bedrock"),
        ("https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "aws.bedrock"),
        ("https://api.together.xyz/v1", "together"),
    ],
)
def test_known_hosts(base_url: str, provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """Providers are known by their hosts, by the names of the conventions, without a word."""
    host = hosts.of(client(base_url))
    assert host.provider == provider
    assert host.port == 443
    assert host.address in base_url
    assert caplog.records == []


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1",
        "https://llm.acme.com/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil-api.openai.com.example/v1",
        "https://notopenrouter.ai/v1",
    ],
)
def test_unknown_hosts_are_nobody(base_url: str) -> None:
    """A host that nobody knows, and loopback, never has OpenAI's prices."""
    assert hosts.of(client(base_url)).provider == "unknown"


def test_one_warning_names_the_variable(caplog: pytest.LogCaptureFixture) -> None:
    """An unknown host is warned of once, with what to set, and without path, query or key."""
    for _ in range(3):
        hosts.of(client("https://user:pass@llm.acme.com:8443/tenant/secret/v1?token=abc"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    text = caplog.text
    assert "OTEL_COSTS_PROVIDERS=llm.acme.com=openai" in text
    for secret in ("pass", "tenant", "token", "abc", "sk-secret"):
        assert secret not in text


def test_configured_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway has the provider that it is given; the port may tell two of them apart."""
    monkeypatch.setenv(
        "OTEL_COSTS_PROVIDERS", "llm.acme.com=openai, localhost:8001 = xai,localhost=deepseek,*.corp=azure,[::1]=groq"
    )
    expected = {
        "https://llm.acme.com/v1": "openai",
        "https://eu.llm.acme.com/v1": "openai",
        "http://localhost:8001/v1": "x_ai",
        "http://localhost:8000/v1": "deepseek",
        "https://ai.corp/v1": "azure.ai.openai",
        "http://[::1]:9/v1": "groq",
    }
    assert {url: hosts.of(client(url)).provider for url in expected} == expected


def test_configuration_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user says about a host is believed, also about a known one."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "api.openai.com=acme")
    assert hosts.of(client("https://api.openai.com/v1")).provider == "acme"


@pytest.mark.parametrize("entry", ["https://u:hunter2@llm.acme.com/v1=openai", "llm.acme.com", "=openai", "a=b c"])
def test_malformed_entries_are_named_by_their_number(
    entry: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that is none is ignored with a warning that does not repeat it; the others count."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", f"{entry},localhost=openai")
    assert hosts.of(client("http://localhost:8000/v1")).provider == "openai"
    assert "Entry 1 of OTEL_COSTS_PROVIDERS" in caplog.text
    assert "hunter2" not in caplog.text


def azure(endpoint: str, version: str = "2024-10-21") -> openai.AzureOpenAI:
    return openai.AzureOpenAI(azure_endpoint=endpoint, api_key="k", api_version=version)


def test_azure_behind_a_domain_of_ones_own() -> None:
    """An Azure client talks to Azure, whatever the domain; on loopback nobody knows."""
    host = hosts.of(azure("https://ai.acme.com"))
    assert host.provider == "azure.ai.openai"
    assert host.has_deployments
    assert hosts.of(azure("http://127.0.0.1:9")).provider == "unknown"
    assert not hosts.of(client("https://api.openai.com/v1")).has_deployments


def takes(of: Any) -> bool:
    return hosts.takes_stream_usage(of, hosts.of(of))


def test_stream_usage_is_asked_for_where_it_is_known_to_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI takes the question, Azure since a version; Mistral refuses fields that it does not know."""
    assert takes(client("https://api.openai.com/v1"))
    assert takes(azure("https://acme.openai.azure.com"))
    assert not takes(azure("https://acme.openai.azure.com", "2024-06-01"))
    assert not takes(client("https://api.mistral.ai/v1"))
    assert not takes(client("http://localhost:8000/v1"))
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "localhost=openai")
    assert takes(client("http://localhost:8000/v1"))


def test_stream_usage_can_be_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable decides for every host."""
    monkeypatch.setenv("OTEL_COSTS_STREAM_USAGE", "off")
    assert not takes(client("https://api.openai.com/v1"))
    monkeypatch.setenv("OTEL_COSTS_STREAM_USAGE", "ON")
    assert takes(client("http://localhost:8000/v1"))


def test_old_clients() -> None:
    """A client whose URL is another library's is read the same: openai 1.x and 2.x bring httpx, not httpx2."""
    url = SimpleNamespace(host="api.openai.com", port=None, scheme="https")
    assert hosts.of(SimpleNamespace(base_url=url)) == hosts.Host("api.openai.com", 443, "openai")


@pytest.mark.parametrize(
    ("base_url", "url", "deployment"),
    [
        ("https://acme.openai.azure.com/openai/deployments/prod", "/chat/completions", "prod"),
        ("https://acme.openai.azure.com/openai/deployments/prod%20eu/", "/chat/completions", "prod eu"),
        ("https://acme.openai.azure.com/openai", "/deployments/other/chat/completions", "other"),
        ("https://acme.openai.azure.com/openai/v1", "/chat/completions", None),
    ],
)
def test_deployments(base_url: str, url: str, deployment: str | None) -> None:
    """A deployment is named by the address of the client or of the request."""
    assert hosts.deployment_of(client(base_url), url) == deployment


@pytest.mark.parametrize("url", ["https://api.deepseek.com/chat/completions", "https://API.deepseek.com:443/x?y=1"])
def test_an_absolute_address(url: str) -> None:
    """A request to another host than the client's is that host's."""
    host = hosts.of(client("https://api.openai.com/v1"), url)
    assert (host.address, host.port, host.provider) == ("api.deepseek.com", 443, "deepseek")


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://api.openai.com/v1", True),
        ("https://acme.openai.azure.com/openai/v1", True),
        ("https://api.groq.com/openai/v1", False),
        ("https://api.mistral.ai/v1", False),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", False),
        ("http://localhost:8000/v1", False),
    ],
)
def test_who_is_asked_for_the_usage_of_a_stream(base_url: str, asked: bool) -> None:
    """Only those are asked whose answer to it is known to the byte."""
    asking = client(base_url)
    assert hosts.takes_stream_usage(asking, hosts.of(asking)) is asked
