"""Which packages are installed whose calls are recorded, and whether their versions are those that are tested."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Final

from packaging.specifiers import SpecifierSet

from otel_costs.cli.doctor.finding import Finding, note, ok, problem

TESTED: Final = {
    "aiohttp": ">=3.13,<4",
    "amazon-transcribe": ">=0.6.4",
    "assemblyai": ">=1.8,<2",
    "azure-ai-voicelive": ">=1.3,<2",
    "azure-cognitiveservices-speech": ">=1.53,<2",
    "boto3": ">=1.44,<2",
    "cartesia": ">=4.2,<5",
    "deepgram-sdk": ">=7.17,<8",
    "elevenlabs": ">=2.78,<3",
    "google-cloud-speech": ">=2.41,<3",
    "google-cloud-texttospeech": ">=2.38,<3",
    "openai": ">=1.30,<4",
    "websockets": ">=13,<18",
}
"""Package -> the versions that the tests run with, as pyproject.toml has them."""

NEEDED: Final = {
    "opentelemetry-api": ">=1.40,<2",
    "opentelemetry-sdk": ">=1.40,<2",
    "opentelemetry-exporter-otlp": ">=1.40,<2",
    "opentelemetry-distro": ">=0.61b0",
    "opentelemetry-instrumentation": ">=0.61b0",
    "wrapt": ">=1.17,<3",
}

_CHECK: Final = "versions"
_CARRIERS: Final = ("aiohttp", "websockets")
"""What carries the sockets of others, and is no SDK of a provider."""


def findings() -> Iterator[Finding]:
    """Yield a finding for each package whose version is not one that is tested, and one for all that are."""
    tested: list[str] = []
    for packages, severe in ((NEEDED, True), (TESTED, False)):
        for name, range_ in packages.items():
            found = _installed(name)
            if found is None:
                if severe:
                    yield problem(_CHECK, f"{name} is not installed.", f"Install {name}{range_}.")
            elif SpecifierSet(range_, prereleases=True).contains(found):
                tested.append(f"{name} {found}")
            elif severe:
                yield problem(_CHECK, f"{name} {found} does not work with otel_costs.", f"Install {name}{range_}.")
            else:
                yield note(
                    _CHECK,
                    f"{name} {found} is not among the versions that are tested ({range_}).",
                    "See with OTEL_COSTS_LOG=debug whether its calls are recorded; tested versions are safe.",
                )
    yield ok(_CHECK, f"otel-costs {_installed('otel-costs') or 'unknown'} is tested with {', '.join(tested)}.")
    if not any(_installed(name) for name in TESTED if name not in _CARRIERS):
        yield note(
            _CHECK,
            "No SDK is installed here whose calls are recorded.",
            "Run this with the Python that runs the program, in its environment.",
        )
    yield from _not_covered()


def _not_covered() -> Iterator[Finding]:
    from otel_costs.providers.not_covered import CLIENTS  # noqa: PLC0415

    installed = packages_distributions()
    names = dict.fromkeys(client.name for client in CLIENTS if " " not in client.name)
    for name in names:
        if name.partition(".")[0] in installed and _is_there(name):
            yield note(
                _CHECK,
                f"Calls of `{name}` are not recorded.",
                "Record their usage with `otel_costs.record(...)`, or call through OpenAI's client with a base_url.",
            )


def _is_there(module: str) -> bool:
    """Whether a module can be found; parents that are of several packages, as google is, are not imported for long."""
    from importlib.util import find_spec  # noqa: PLC0415

    try:
        return find_spec(module) is not None
    except (ImportError, AttributeError, ValueError):
        return False


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
