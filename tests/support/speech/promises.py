"""What holds for every vendor of speech over HTTP: a vendor's test inherits it, and brings a `driver`."""

import contextlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.kit import httpx_patch
from tests.support.recorded import Recorded, wait_for_records
from tests.support.speech.driver import Driver
from tests.support.speech.service import Said

AT_ONCE = {"retry-after-ms": "1", "retry-after": "0"}


class BugError(Exception):
    pass


def broken(*_: Any, **__: Any) -> Any:
    raise BugError


def said(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record tells of usage and money."""
    wanted = ("otel_costs.usage.", names.COST_USD, names.COST_STATUS, names.COST_REASON)
    return {name.removeprefix("otel_costs."): value for name, value in call.items() if name.startswith(wanted)}


class Promises:
    """Whatever the vendor, and whether its client is sync or async."""

    def test_whose_call_it_is(self, driver: Driver, recorded: Recorded) -> None:
        """Session, user, scenario, step and tags are on the record, and on the span."""
        with (
            otel_costs.session("abc-123", user="user-1", scenario="support", kb_id="kb"),
            otel_costs.step("greeting"),
        ):
            driver.read(driver.speak())
        wanted = {
            names.SESSION_ID: "abc-123", names.USER_ID: "user-1", names.SCENARIO: "support", names.STEP: "greeting",
            names.TAG_PREFIX + "kb_id": "kb", names.PROVIDER_NAME: driver.provider,
            names.OPERATION_NAME: "text_to_speech", names.SERVER_ADDRESS: "127.0.0.1",
        }  # fmt: skip
        (span,) = recorded.spans
        assert wanted.items() <= recorded.call.items()
        assert span.attributes is not None
        assert wanted.items() <= span.attributes.items()
        assert recorded.call[names.COST_USD] == span.attributes[names.COST_USD]

    @pytest.mark.parametrize("status", [400, 401, 422])
    def test_what_is_refused_costs_nothing(self, status: int, driver: Driver, recorded: Recorded) -> None:
        """An error status is one record of no cost, and the package's own exception reaches the application."""
        driver.service.faults = [Said({"detail": "no"}, status=status)]
        with pytest.raises(driver.refusal):
            driver.transcribe()
        call = recorded.call
        assert (call[names.COST_USD], call[names.COST_REASON]) == ("0", "request_refused")
        assert call[names.ERROR_TYPE]
        assert len(recorded.spans) == 1

    def test_a_speech_that_is_refused(self, driver: Driver, recorded: Recorded) -> None:
        """A stream that never begins costs nothing either."""
        driver.service.faults = [Said({"detail": "no"}, status=400)]
        with pytest.raises(driver.refusal):
            driver.read(driver.speak())
        assert recorded.call[names.COST_USD] == "0"

    def test_a_server_that_hangs_up(self, driver: Driver, recorded: Recorded) -> None:
        """A sound that breaks off is billed as far as it is known, and named after the error."""
        driver.service.cut = True
        with pytest.raises(driver.breakage):
            driver.read(driver.speak())
        call = recorded.call
        assert call[names.ERROR_TYPE]
        assert call[names.COST_USD] != "0"

    def test_left_early(self, driver: Driver, recorded: Recorded) -> None:
        """Speech that is not listened to is billed all the same, once."""
        driver.read(driver.speak())
        whole = recorded.call[names.COST_USD]
        recorded.log_exporter.clear()
        driver.take(driver.speak(), 1)
        assert recorded.call[names.COST_USD] == whole
        assert names.ERROR_TYPE not in recorded.call

    def test_never_read(self, driver: Driver, recorded: Recorded) -> None:
        """What a package sends only when it is iterated is no call until then."""
        sound = driver.speak()
        driver.transcribe()
        assert len(recorded.calls) == 1 + len([asked for asked in driver.service.asked if asked.is_speech])
        if driver.is_async:
            driver.run(sound.aclose())
        else:
            sound.close()

    def test_cancelled(self, driver: Driver, recorded: Recorded) -> None:
        """A task that is cancelled while it listens is told so, and its call is billed."""
        if not driver.is_async:
            driver.take(driver.speak(), 1)
        else:
            driver.service.go_on.clear()
            assert driver.cancel(driver.speak())
            assert recorded.call[names.ERROR_TYPE] == "CancelledError"
        assert recorded.call[names.COST_USD] != "0"

    def test_uninstrument(self, driver: Driver, recorded: Recorded) -> None:
        """What was patched is what it was, and calls are no longer recorded."""
        assert hasattr(httpx.Client.send, "__wrapped__")
        CostsInstrumentor().uninstrument()
        assert not hasattr(httpx.Client.send, "__wrapped__")
        assert not hasattr(httpx.AsyncClient.send, "__wrapped__")
        driver.transcribe()
        assert recorded.calls == []

    @pytest.mark.some(6)
    @pytest.mark.parametrize(
        "place", ["exchange.VendorCall.begin", "exchange.VendorCall._receive", "exchange.read_request",
                  "httpx_patch._behind", "httpx_patch.is_refused", "exchange.Call", "exchange.Answer.of",
                  "exchange.BodyReader.feed", "exchange.BodyReader.end", "transcripts.alone"],
    )  # fmt: skip
    def test_a_bug_of_ours(
        self, place: str, driver: Driver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The application gets what it would have got, whatever of ours raises."""
        CostsInstrumentor().uninstrument()
        expected = [driver.transcribe(), b"".join(driver.read(driver.speak()))]
        CostsInstrumentor().instrument(**recorded.providers)
        module, *path, name = place.split(".")
        owner: Any = importlib.import_module(f"otel_costs.providers.kit.{module}")
        for step in path:
            owner = getattr(owner, step)
        monkeypatch.setattr(owner, name, broken)
        assert [driver.transcribe(), b"".join(driver.read(driver.speak()))] == expected
        wait_for_records()

    def test_a_reader_that_fails(self, driver: Driver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bug in reading an answer leaves a record that says so."""
        vendors = httpx_patch._vendors
        vendor = vendors[driver.provider]
        endpoints = [replace(endpoint, read=broken) for endpoint in vendor.endpoints]
        monkeypatch.setitem(vendors, driver.provider, replace(vendor, endpoints=endpoints))
        httpx_patch._behind.cache_clear()
        assert driver.transcribe() == driver.heard
        call = recorded.call
        assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "response_not_read")

    def test_a_budget_that_is_spent(self, driver: Driver, recorded: Recorded) -> None:
        """The next call is stopped before it is sent, with our exception and not the package's."""
        with otel_costs.session("s", budget_usd="0.000001"):
            driver.read(driver.speak())
            wait_for_records()
            sent = len(driver.service.asked)
            with pytest.raises(otel_costs.BudgetExceeded):
                driver.transcribe()
            with pytest.raises(otel_costs.BudgetExceeded):
                driver.read(driver.speak())
        assert len(driver.service.asked) == sent

    def test_content_is_off(self, driver: Driver, recorded: Recorded) -> None:
        """No word of what was said leaves the process, unless somebody wants it."""
        with otel_costs.session("s"):
            driver.read(driver.speak())
            driver.transcribe()
        everything = json.dumps([dict(span.attributes or {}) for span in recorded.spans]) + repr(
            [record.log_record for record in recorded.log_exporter.get_finished_logs()]
        )
        assert driver.text not in everything
        assert driver.heard not in everything
        assert [message["body"] for message in recorded.messages] == [None, None]

    def test_content(self, driver: Driver, recorded: Recorded) -> None:
        """What was spoken and what was heard are messages of their session, one each."""
        content.configure(content.Capture.EVENT_ONLY)
        with otel_costs.session("s"):
            driver.read(driver.speak())
            driver.transcribe()
        said = [(found[names.MESSAGE_ROLE], found[names.MESSAGE_TYPE], found["body"]) for found in recorded.messages]
        assert said == [("assistant", "audio", driver.text), ("user", "audio", driver.heard)]

    def test_what_is_not_billed(self, driver: Driver, recorded: Recorded) -> None:
        """A request that costs nothing leaves nothing."""
        driver.look()
        assert recorded.calls == []
        assert recorded.spans == []


class Retries:
    """Of packages that try again by themselves."""

    @pytest.fixture(autouse=True)
    def at_once(self, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let those not wait that do not read AT_ONCE: clients that Fern makes take no wait of zero for one."""
        with contextlib.suppress(ImportError):
            client = importlib.import_module(f"{driver.provider}.core.http_client")
            monkeypatch.setattr(client, "INITIAL_RETRY_DELAY_SECONDS", 0.001)

    def test_tries_again(self, driver: Driver, recorded: Recorded) -> None:
        """However often a package tries, it is one call."""
        driver.service.faults = [Said({}, status=429, headers=AT_ONCE), Said({}, status=503, headers=AT_ONCE)]
        assert driver.transcribe() == driver.heard
        assert len(driver.service.asked) == 3
        assert names.ERROR_TYPE not in recorded.call
        assert recorded.call[names.COST_STATUS] != "unpriced"
        assert len(recorded.spans) == 1

    @pytest.mark.parametrize(("status", "usd"), [(429, "0"), (503, "0"), (504, None)])
    def test_gives_up(self, status: int, usd: str | None, driver: Driver, recorded: Recorded) -> None:
        """A call whose last attempt is refused costs nothing; of one that timed out nobody knows."""
        driver.service.faults = [Said({}, status=status, headers=AT_ONCE)] * 5
        with pytest.raises(driver.refusal):
            driver.transcribe()
        assert len(driver.service.asked) == 3
        assert recorded.call.get(names.COST_USD) == usd
        assert len(recorded.spans) == 1
