"""What the variables of otel_costs say: names that nothing reads, prices that cannot be read, hosts without prices."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from otel_costs import hosts, pricing, semconv
from otel_costs.cli.doctor.finding import Finding, note, ok, problem
from otel_costs.cli.failure import nearest
from otel_costs.pricing import PriceFileError
from otel_costs.privacy import pseudonyms
from otel_costs.privacy.keys import KeysError
from otel_costs.privacy.sealing import Sealer

KNOWN: Final = frozenset(value for name, value in vars(semconv).items() if name.startswith("ENV_"))

_CHECK: Final = "settings"
_BASES: Final = ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT")


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what stands in the variables."""
    for name in sorted(environ):
        if name.startswith("OTEL_COSTS_") and name not in KNOWN:
            meant = nearest(name, sorted(KNOWN), "there are", most=1)
            yield note(_CHECK, f"{name} is set, and nothing reads it.", meant[:1].upper() + meant[1:])
    yield from _prices(environ)
    yield from _providers(environ)
    captured = environ.get(semconv.ENV_CAPTURE_CONTENT, "").strip().upper()
    if captured in ("", "NO_CONTENT", "FALSE"):
        yield ok(
            _CHECK,
            "What is said is not recorded, only that something was.",
            f"{semconv.ENV_CAPTURE_CONTENT}=EVENT_ONLY records it.",
        )
    else:
        yield ok(_CHECK, f"What is said is recorded ({captured}).")
    yield from _privacy(environ)
    if not environ.get(semconv.ENV_LOG):
        yield ok(
            _CHECK,
            "The line `[COST] Session ...` at the end of a session is seen where the program's logging shows INFO.",
            f"{semconv.ENV_LOG}=info shows it in any program, {semconv.ENV_LOG}=debug each decision on a call.",
        )


def _privacy(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what keeps content or users from being recorded; what the variables hold is not repeated."""
    if (given := environ.get(semconv.ENV_CONTENT_KEY)) is not None:
        try:
            Sealer(given)
        except KeysError as error:
            yield problem(_CHECK, f"No content is recorded: {error}.", f"Correct {semconv.ENV_CONTENT_KEY}.")
        else:
            yield ok(_CHECK, f"Content of message records is sealed with the first key of {semconv.ENV_CONTENT_KEY}.")
    if (salt := environ.get(semconv.ENV_USER_HASH)) is not None:
        if (wrong := pseudonyms.wrong_salt(salt)) is not None:
            yield problem(_CHECK, f"No user is recorded: {wrong}.", f"Correct {semconv.ENV_USER_HASH}.")
        else:
            yield ok(_CHECK, f"Users are recorded by pseudonyms ({semconv.ENV_USER_HASH}).")


def _prices(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = environ.get(semconv.ENV_PRICES)
    try:
        book = pricing.load(path or None)
    except PriceFileError as error:
        yield problem(_CHECK, f"{error}.", f"Correct the file, or unset {semconv.ENV_PRICES}.")
    else:
        above = f", under those of {path}" if path else ""
        yield ok(_CHECK, f"The price book {book.version} is in force{above}.")


def _providers(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in _BASES:
        if not (base := environ.get(name)):
            continue
        try:
            url = urlsplit(base)
            host, port = url.hostname or "", url.port or (80 if url.scheme == "http" else 443)
        except ValueError:
            continue
        if not (provider := hosts.provider_of(host, port)):
            yield note(
                _CHECK,
                f"Nobody knows whose prices hold at {host}, where {name} sends calls: they will have no cost.",
                f"Set {semconv.ENV_PROVIDERS}={host}=openai, or whoever is behind it.",
            )
        else:
            yield ok(_CHECK, f"{name} sends calls to {host}, at the prices of {provider}.")
