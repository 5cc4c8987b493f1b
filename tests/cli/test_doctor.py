"""`doctor` tells why calls are not there, against a real stack, wrong addresses, and an empty environment."""

import csv
import io
import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from otel_costs.cli.doctor import endpoint, instrumentation, settings, versions
from otel_costs.cli.doctor.finding import Finding
from otel_costs.local import Stack
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import plugins
from otel_costs.spool import delivery, refusals
from otel_costs.store import connect, connection
from tests.spool.test_spool import abandoned, request
from tests.support.collector import Collector
from tests.support.program import _clean_environ

from .support import Ledger, fill, run

PROTOCOL, ENDPOINT = "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
HTTP, GRPC = "http/protobuf", "grpc"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def closed() -> Iterator[str]:
    """Return an address at which nobody listens, and nobody else will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(autouse=True)
def usual_ports(monkeypatch: pytest.MonkeyPatch, closed: str) -> dict[str, int]:
    """Have nothing of this machine's own at the usual ports."""
    port = int(closed.rpartition(":")[2])
    ports = {GRPC: port, HTTP: port}
    monkeypatch.setattr(endpoint, "PORTS", ports)
    return ports


def exporter(environ: Mapping[str, str]) -> Finding:
    """Return the only finding about the exporter."""
    (found,) = endpoint.findings(environ)
    return found


def findings_of(check: str, *arguments: str, environ: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Run the command and return what one check found."""
    told = run("doctor", "--format", "json", *arguments, environ=environ)
    return [one for one in json.loads(told.stdout)["findings"] if one["check"] == check]


def said(found: list[dict[str, str]], state: str) -> str:
    return "\n".join(f"{one['said']} {one['next_step']}" for one in found if one["state"] == state)


@pytest.mark.some(1)
@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_a_stack_that_is_well(stack: Stack, protocol: str) -> None:
    """Over either protocol the real stack takes the request, all checks are made, and the exit code is 0."""
    url = stack.otlp_http_url if protocol == HTTP else stack.otlp_grpc_url
    told = run("doctor", "--format", "json", url=stack.http_url, environ={PROTOCOL: protocol, ENDPOINT: url})
    report = json.loads(told.stdout)
    assert (told.exit_code, report["problems"]) == (0, 0), said(report["findings"], "problem")
    assert f"takes log records over {protocol}." in told.stdout
    assert [*dict.fromkeys(one["check"] for one in report["findings"])] == [
        "instrumentation", "exporter", "spool", "settings", "store", "versions",
    ]  # fmt: skip
    assert "The tables and views are there" in told.stdout
    assert "`otel-costs local` stores what it gets." in told.stdout


def test_an_empty_request_stores_nothing(stack: Stack) -> None:
    """The endpoint is asked as often as one likes."""
    client = connect(stack.http_url)
    try:
        before = client.command("select count() from otel_logs")
        exporter({PROTOCOL: HTTP, ENDPOINT: stack.otlp_http_url})
        assert client.command("select count() from otel_logs") == before
    finally:
        client.close()


@pytest.mark.parametrize(("spoken", "meant"), [(GRPC, HTTP), (HTTP, GRPC)])
@pytest.mark.parametrize("of_logs", [False, True])
def test_a_wrong_protocol(stack: Stack, spoken: str, meant: str, of_logs: bool) -> None:
    """The other protocol at the same address is found out by speaking it; the variable in force is named."""
    url = stack.otlp_http_url if meant == HTTP else stack.otlp_grpc_url
    infix = "LOGS_" if of_logs else ""
    found = exporter({f"OTEL_EXPORTER_OTLP_{infix}PROTOCOL": spoken, f"OTEL_EXPORTER_OTLP_{infix}ENDPOINT": url})
    assert found.state == "problem"
    assert f"does not take log records over {spoken}" in found.said
    path = "/v1/logs" if of_logs and meant == HTTP else ""
    assert f"OTEL_EXPORTER_OTLP_{infix}PROTOCOL={meant}" in found.next_step
    assert f"OTEL_EXPORTER_OTLP_{infix}ENDPOINT={url}{path}." in found.next_step


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_a_wrong_port(stack: Stack, usual_ports: dict[str, int], closed: str, protocol: str) -> None:
    """Where nobody listens at the port, the usual one of the same host is tried."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        wrong = f"http://127.0.0.1:{other.getsockname()[1]}"
        right = stack.otlp_http_url if protocol == HTTP else stack.otlp_grpc_url
        usual_ports[protocol] = int(right.rpartition(":")[2])
        found = exporter({PROTOCOL: protocol, ENDPOINT: wrong})
    assert found.state == "problem"
    assert found.next_step == f"Set {ENDPOINT}={right}."


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_nobody_listens(closed: str, protocol: str) -> None:
    """It says so, and what to start."""
    found = exporter({PROTOCOL: protocol, ENDPOINT: closed})
    assert (found.state, "Nobody listens at" in found.said) == ("problem", True)
    assert "otel-costs local" in found.next_step


def test_a_path_that_is_missing(stack: Stack) -> None:
    """The address of logs alone is used as it is: without its path nothing takes them."""
    found = exporter({PROTOCOL: HTTP, LOGS_ENDPOINT: stack.otlp_http_url})
    assert found.next_step == f"Set {LOGS_ENDPOINT}={stack.otlp_http_url}/v1/logs."


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_tls_where_none_is_spoken(stack: Stack, protocol: str) -> None:
    """An address without TLS that is asked with it is told by http://."""
    right = stack.otlp_http_url if protocol == HTTP else stack.otlp_grpc_url
    found = exporter({PROTOCOL: protocol, ENDPOINT: right.replace("http://", "https://")})
    assert found.next_step == f"Set {ENDPOINT}={right}."


def test_an_address_without_a_scheme_is_asked_with_tls(stack: Stack) -> None:
    """As the exporter over gRPC does it."""
    found = exporter({PROTOCOL: GRPC, ENDPOINT: stack.otlp_grpc_url.removeprefix("http://")})
    assert found.next_step == f"Set {ENDPOINT}={stack.otlp_grpc_url}."


@pytest.mark.long
def test_a_token_that_is_missing(tmp_path: Path) -> None:
    """An endpoint that refuses is there: the headers are to be set. With them it is well."""
    with Stack(tmp_path, token="s3cret-token") as guarded:
        for protocol, url in ((HTTP, guarded.otlp_http_url), (GRPC, guarded.otlp_grpc_url)):
            environ = {PROTOCOL: protocol, ENDPOINT: url}
            found = exporter(environ)
            assert "refuses the credentials" in found.said
            assert "OTEL_EXPORTER_OTLP_HEADERS" in found.next_step
            environ["OTEL_EXPORTER_OTLP_HEADERS"] = "Authorization=Bearer%20s3cret-token"
            assert exporter(environ).state == "ok"
        dsn = guarded.http_url.replace("http://", "http://default:s3cret-token@")
        told = run("doctor", "--dsn", dsn, "--format", "json", environ=environ).stdout
        assert "`otel-costs local` stores" in told
        assert "s3cret" not in told


@pytest.mark.some(1)
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_no_finding_has_a_secret(closed: str, form: str) -> None:
    """Neither passwords nor tokens of the variables are told, wherever they stand."""
    secret = "canary5d1f"
    place = closed.removeprefix("http://")
    for address in (f"http://me:{secret}@{place}/{secret}?key={secret}", f"me:{secret}@{place}"):
        environ = {
            PROTOCOL: HTTP,
            ENDPOINT: address,
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{secret}",
            "OTEL_COSTS_TOKEN": secret,
            "OPENAI_BASE_URL": f"http://me:{secret}@llm.acme.example/{secret}",
        }
        told = run("doctor", "--format", form, "--dsn", f"http://me:{secret}@{place}", environ=environ)
        assert told.exit_code == 1
        assert secret not in told.output


def test_what_takes_no_logs() -> None:
    """A server that answers and does not know the path is no collector with a pipeline for logs."""
    with Collector() as collector:
        collector.status = 404
        found = exporter({PROTOCOL: HTTP, ENDPOINT: collector.endpoint})
    assert "takes no log records (HTTP 404)" in found.said


@pytest.mark.parametrize(
    ("environ", "state", "told"),
    [
        ({"OTEL_LOGS_EXPORTER": "none"}, "problem", "calls are not recorded"),
        ({"OTEL_LOGS_EXPORTER": "console"}, "note", "do not go to an OTLP endpoint"),
        ({PROTOCOL: "http/json"}, "problem", "is no protocol of Python's exporter"),
        ({ENDPOINT: "http://localhost:port"}, "problem", "cannot be read"),
    ],
)
def test_variables_that_keep_records_here(environ: dict[str, str], state: str, told: str) -> None:
    """What is set so that nothing can be sent is told by its variable."""
    found = exporter(environ)
    assert (found.state, told in found.said) == (state, True)


def test_an_exporter_that_is_not_installed(stack: Stack) -> None:
    """A name without an exporter stops the program at its start."""
    environ = {"OTEL_LOGS_EXPORTER": "otlp,datacat", PROTOCOL: HTTP, ENDPOINT: stack.otlp_http_url}
    unknown, known = endpoint.findings(environ)
    assert "names datacat" in unknown.said
    assert known.state == "ok"


def test_an_exporter_of_one_protocol(stack: Stack) -> None:
    """`otlp_proto_grpc` speaks gRPC whatever the protocol is: the exporter is to be changed, too."""
    found = exporter({"OTEL_LOGS_EXPORTER": "otlp_proto_grpc", PROTOCOL: HTTP, ENDPOINT: stack.otlp_http_url})
    assert "over grpc" in found.said
    assert "OTEL_LOGS_EXPORTER=otlp" in found.next_step


def test_an_empty_environment(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """Without any variable what the SDK does by itself is looked at, and a store that nobody named is no problem."""
    monkeypatch.setattr(connection, "DEFAULT_DSN", closed)  # a store of this machine's may be there
    found = list(endpoint.findings({}))
    assert len(found) == 1
    assert "http://localhost:4317" in found[0].said
    told = findings_of("settings", environ={})
    assert said(told, "problem") == ""
    assert all(one["state"] != "problem" for one in findings_of("store", environ={}))


def test_a_store_that_was_named_and_is_not_there(closed: str) -> None:
    """It is a problem, and the exit code is 1."""
    told = run("doctor", "--dsn", closed)
    assert told.exit_code == 1
    assert "No store answers at" in told.stdout


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({instrumentation.DISABLED: "flask, otel_costs"}, "switches otel_costs off"),
        ({instrumentation.DISABLED: "*"}, "switches otel_costs off"),
        ({instrumentation.OFF: "True"}, "nothing is recorded at all"),
    ],
)
def test_what_is_switched_off(environ: dict[str, str], told: str) -> None:
    """What keeps the instrumentation from being loaded is a problem, named by its variable."""
    problems = [one for one in instrumentation.findings(environ) if one.state == "problem"]
    assert [told in one.said for one in problems] == [True]


def test_the_order_of_instrumentations(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the order in which they are loaded; those of the same calls are named."""
    group = "opentelemetry_instrumentor"
    own, flask, openai = (
        EntryPoint(name, "otel_costs:CostsInstrumentor", group) for name in ("otel_costs", "flask", "openai_v2")
    )
    monkeypatch.setattr(instrumentation, "entry_points", lambda group: [openai, own, flask])
    told = [one.said for one in instrumentation.findings({})]
    assert any("number 2 of 3: openai_v2, otel_costs, flask." in one for one in told)
    assert any("spans of the same calls: openai_v2" in one for one in told)


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        ([], "not installed as an instrumentation"),
        ([EntryPoint("otel_costs", "otel_costs:Nothing", "opentelemetry_instrumentor")], "cannot be imported"),
    ],
)
def test_an_installation_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, installed: list[EntryPoint], told: str
) -> None:
    """Without its entry point, or with one that fails, nothing is recorded."""
    of_group = {"opentelemetry_instrumentor": installed, plugins.GROUP: []}
    monkeypatch.setattr(instrumentation, "entry_points", lambda group: of_group.get(group, [0]))
    assert any(told in one.said and one.state == "problem" for one in instrumentation.findings({}))


def test_providers_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is plugged in is named; one that cannot be loaded is a problem."""
    whole = EntryPoint("acme", "json:loads", plugins.GROUP)
    broken = EntryPoint("emca", "emca_costs:VENDOR", plugins.GROUP)
    monkeypatch.setattr(
        instrumentation, "entry_points", lambda group: [whole, broken] if group == plugins.GROUP else []
    )
    told = {one.said: one.state for one in instrumentation.findings({})}
    assert told["The provider 'acme' is recorded, by json."] == "ok"
    assert told["The provider 'emca' cannot be loaded (ModuleNotFoundError): its calls are not recorded."] == "problem"


def test_under_the_real_starter(stack: Stack) -> None:
    """Started as a program is, it tells that this process is recorded."""
    folder = Path(sys.executable).parent
    environ = {PROTOCOL: HTTP, ENDPOINT: stack.otlp_http_url, "OTEL_COSTS_DSN": stack.http_url}
    told = subprocess.run(
        [str(folder / "opentelemetry-instrument"), str(folder / "otel-costs"), "doctor", "--format", "json"],
        env={**_clean_environ(), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "has started this process and loaded otel_costs." in told.stdout


def test_what_lies_in_the_spool(tmp_path: Path) -> None:
    """What waits, was refused or is damaged is told with what to do."""
    abandoned(tmp_path, "a")
    refusals.put_aside(tmp_path, [delivery.Refused(request("b"), "HTTP 413")])
    found = findings_of("spool", environ={"OTEL_COSTS_SPOOL": str(tmp_path)})
    told = said(found, "problem")
    assert "1 record since" in told
    assert "the process is gone" in told
    assert "refused 1 record" in told
    assert "HTTP 413" in told
    assert said(findings_of("spool", environ={"OTEL_COSTS_SPOOL": str(tmp_path / "none")}), "problem") == ""


def test_variables_of_ours(tmp_path: Path) -> None:
    """A name that nothing reads, a price file that is none, and a host whose prices nobody knows are told."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: 3")
    environ = {
        "OTEL_COSTS_PRICE": "x",
        "OTEL_COSTS_PRICES": str(prices),
        "OPENAI_BASE_URL": "http://llm.acme.example:4000/v1",
    }
    found = list(settings.findings(environ))
    unread, broken, unknown = [one for one in found if one.state != "ok"]
    assert (unread.said, unread.next_step) == (
        "OTEL_COSTS_PRICE is set, and nothing reads it.",
        "Did you mean OTEL_COSTS_PRICES?",
    )
    assert (broken.state, str(prices) in broken.said) == ("problem", True)
    assert "llm.acme.example" in unknown.said
    assert "OTEL_COSTS_PROVIDERS=llm.acme.example=openai" in unknown.next_step


@pytest.mark.parametrize(
    ("environ", "state", "told"),
    [
        ({"OTEL_COSTS_CONTENT_KEY": "7c" * 32}, "ok", "is sealed"),
        ({"OTEL_COSTS_CONTENT_KEY": "a-secret-that-is-no-key"}, "problem", "No content is recorded"),
        ({"OTEL_COSTS_USER_HASH": "7c" * 16}, "ok", "by pseudonyms"),
        ({"OTEL_COSTS_USER_HASH": "a-secret-salt"}, "problem", "No user is recorded"),
    ],
)
def test_keys_and_salts(environ: dict[str, str], state: str, told: str) -> None:
    """What keeps content or users from being recorded is told, and nothing of what the variable holds."""
    found = [one for one in settings.findings(environ) if told in one.said]
    assert [one.state for one in found] == [state]
    assert not any(value in f"{one.said}{one.next_step}" for one in found for value in environ.values())


def test_the_ranges_are_those_that_are_tested() -> None:
    """pyproject.toml has each of them, for the tests, the demo or the installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    listed = {
        one.replace("[aiohttp]", "")
        for group in [project["project"]["dependencies"], *groups]
        for one in group
        if isinstance(one, str)
    }
    stated = {f"{name}{range_}" for name, range_ in {**versions.TESTED, **versions.NEEDED}.items()}
    assert stated - listed == set()


def test_versions_that_are_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of an SDK is a note, one of OpenTelemetry's a problem, and what is tested is listed."""
    have = {"openai": "9.0.0", "opentelemetry-sdk": "1.2.0", "wrapt": "1.17.3"}
    monkeypatch.setattr(versions, "_installed", have.get)
    told = {one.said: one.state for one in versions.findings()}
    assert told["openai 9.0.0 is not among the versions that are tested (>=1.30,<4)."] == "note"
    assert told["opentelemetry-sdk 1.2.0 does not work with otel_costs."] == "problem"
    assert any("wrapt 1.17.3" in one for one in told)


@pytest.mark.long
def test_what_the_store_has(stack: Stack) -> None:
    """The last call, calls that are missing or without a price, and a schema of another version are told."""
    assert "No call has arrived yet" in said(findings_of("store", "--dsn", stack.http_url), "note")
    fill(Ledger(stack.http_url))
    client = connect(stack.http_url)
    try:
        client.command(
            "insert into call_sequences (process_id, service, arrived, seqs, first_time, last_time) select"
            " unhex(repeat('cd', 16)), 'shop', now('UTC') - interval 1 hour, groupBitmapState(toUInt64(n)),"
            " now64(3) - 3600, now64(3) - 3600 from values('n UInt64', 1, 4)"
        )
        client.command("drop view unpriced_calls")
        broken = findings_of("store", "--dsn", stack.http_url)
        assert "view unpriced_calls" in said(broken, "problem")
        assert "otel-costs schema" in said(broken, "note")  # and the other checks go on
        run("schema", url=stack.http_url)
        found = findings_of("store", "--dsn", stack.http_url)
    finally:
        client.command("truncate table call_sequences")  # other tests find nothing missing
        client.close()
    assert "2 calls were made and never arrived: shop 2." in said(found, "problem")
    assert "of service shop" in said(found, "ok")
    assert f"1 call without a whole price: unknown_model. {CostReason.UNKNOWN_MODEL.remedy}" in said(found, "note")


@pytest.mark.long
def test_each_format_has_every_finding(closed: str) -> None:
    """Table, JSON and CSV tell the same."""
    environ = {ENDPOINT: closed, "OTEL_COSTS_DSN": closed}
    report = json.loads(run("doctor", "--format", "json", environ=environ).stdout)
    rows: list[dict[str, Any]] = list(
        csv.DictReader(io.StringIO(run("doctor", "--format", "csv", environ=environ).stdout))
    )
    assert rows == report["findings"]
    table = run("doctor", environ={**environ, "COLUMNS": "2000"})
    assert table.exit_code == 1
    assert all(one["said"] in table.stdout for one in rows)
    assert report["problems"] == 2


def test_a_check_that_fails_keeps_none_from_going_on(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """A fault of ours is one finding."""
    monkeypatch.setattr(versions, "findings", lambda: 1 / 0)
    found = findings_of("versions", environ={ENDPOINT: closed})
    assert [one["state"] for one in found] == ["problem"]
    assert "ZeroDivisionError" in found[0]["next_step"]


def test_a_wrong_call() -> None:
    """It is exit code 2."""
    assert run("doctor", "--format", "xml").exit_code == 2
    assert run("doctor", "now").exit_code == 2
