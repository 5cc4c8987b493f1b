"""Calls over SIP and WebRTC, started here and carried elsewhere: said once, and counted where a sideband joins."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.providers import openai_live
from otel_costs.runtime import telemetry
from otel_costs.transports.websocket import Handshake
from tests.providers.conftest import Driver
from tests.providers.test_openai_realtime import COST, Wire
from tests.support.recorded import Recorded

SDP = "v=0\r\n"
CALL = "rtc_0123456789abcdef"
LIVE = "live_0123456789abcdef"
TRANSPORT: Any = {"type": "webrtc", "sdp": SDP}


def start(driver: Driver, way: str) -> str:
    """Start a session in one of the ways that the SDK has, and return its id."""
    client = driver.client
    if way == "accept":
        driver.run(client.realtime.calls.accept(CALL, type="realtime", model="gpt-realtime"))
        return CALL
    if way == "create":
        create = client.realtime.calls.with_raw_response.create
        made = driver.run(create(sdp=SDP, session={"type": "realtime", "model": "gpt-realtime"}))
        return str(made.headers["location"]).rpartition("/")[2]
    if way == "live accept":
        driver.run(client.live.sessions.accept(LIVE, session={"model": "gpt-live-1"}))
        return LIVE
    if way == "live fork":
        asked: Any = {"transport": TRANSPORT, "session": {}}
        return str(driver.run(client.live.sessions.fork("live_before", **asked)).session.id)
    asked = {"transport": TRANSPORT, "session": {"model": "gpt-live-1"}}
    return str(driver.run(client.live.create(**asked)).session.id)


WAYS = ["accept", "create", "live accept", "live create", "live fork"]


def newest(recorded: Recorded) -> list[Mapping[str, Any]]:
    """Return the records that the store counts: of each id the newest."""
    found: dict[str, Mapping[str, Any]] = {}
    for call in sorted(recorded.calls, key=lambda call: call.get(names.CALL_REVISION, 0)):
        found[call[names.CALL_ID]] = call
    return list(found.values())


@pytest.mark.parametrize("way", WAYS)
def test_nobody_sees_the_usage(way: str, driver: Driver, recorded: Recorded) -> None:
    """The session is recorded without a cost, with the reason, under an id that follows from the provider's."""
    with otel_costs.session("abc-123", user="user-1"):
        start(driver, way)
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "usage_not_visible")
    assert names.COST_USD not in call
    assert call[names.CALL_ID][12] == "5"
    assert call[names.CALL_REVISION] == 0
    assert (call[names.SESSION_ID], call[names.USER_ID]) == ("abc-123", "user-1")
    assert call[names.OPERATION_NAME] == "realtime_inference"
    if way != "live fork":
        assert call[names.REQUEST_MODEL] in ("gpt-realtime", "gpt-live-1")


def test_one_warning(
    driver: Driver, recorded: Recorded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once for each process."""
    monkeypatch.setattr(telemetry, "_warned", set())
    with caplog.at_level(logging.WARNING, names.SCOPE):
        for way in WAYS:
            start(driver, way)
        assert len(recorded.calls) == len(WAYS)  # asked here: records are written in the background
    assert len([record for record in caplog.records if "SIP" in record.getMessage()]) == 1


def test_a_client_secret_is_free(driver: Driver, recorded: Recorded) -> None:
    """A key for a browser is no call."""
    driver.run(driver.client.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"}))
    assert recorded.calls == []


@pytest.mark.parametrize("way", ["accept", "create"])
def test_a_sideband_joins(way: str, driver: Driver, recorded: Recorded) -> None:
    """What a sideband sees is billed to who started the call, and nothing is left without a cost."""
    with otel_costs.session("abc-123") as ours:
        name = start(driver, way)
        (unseen,) = recorded.calls
        for _ in range(2):  # a connection that breaks is made anew
            wire = Wire(f"call_id={name}").created(expires_at=1_795_347_000)
            wire.done("resp_0123456789abcdef")
            wire.close()
        assert str(ours.cost_usd) == COST
    joined, response = newest(recorded)
    assert len(recorded.calls) == 3
    assert (joined[names.CALL_ID], joined["timestamp"]) == (unseen[names.CALL_ID], unseen["timestamp"])
    assert (joined[names.COST_STATUS], joined[names.COST_USD]) == ("priced", "0")
    assert response[names.COST_USD] == COST
    assert {call[names.SESSION_ID] for call in recorded.calls} == {"abc-123"}


def test_a_sideband_of_another_process(recorded: Recorded) -> None:
    """Who did not start the call writes nothing but what it sees."""
    Wire(f"call_id={CALL}").created(expires_at=1_795_347_000).close()
    assert recorded.calls == []


@pytest.mark.parametrize("way", ["live accept", "live create", "live fork"])
def test_a_sideband_joins_a_live_session(way: str, driver: Driver, recorded: Recorded) -> None:
    """The bill of a Live session takes the place of the record of its start."""
    with otel_costs.session("abc-123"):
        name = start(driver, way)
    path = f"/v1/live/sessions/{name}/attach"
    socket = openai_live.match(Handshake("127.0.0.1", 443, path, "", {}))
    assert socket is not None
    config = {"id": name, "model": "gpt-live-1", "expires_at": 1_795_347_000}
    for event in (
        {"type": "session.updated", "session": config},
        {"type": "session.usage.updated", "usage": {"seconds": 15}},
        {"type": "session.closed", "reason": "close_requested", "session": config, "usage": {"seconds": 60}},
    ):
        socket.received(json.dumps(event))
    socket.closed(None)
    (call,) = newest(recorded)
    assert (call[names.COST_STATUS], call[names.USAGE_PREFIX + "audio_seconds"]) == ("priced", "60")
    assert call[names.SESSION_ID] == "abc-123"
    assert len({call["timestamp"] for call in recorded.calls}) == 1


def test_a_refused_call_costs_nothing(driver: Driver, recorded: Recorded) -> None:
    """A call that the provider refuses has not begun."""
    with pytest.raises(Exception, match="sdp"):
        driver.run(driver.client.post("/realtime/calls", cast_to=object, body={"session": {}}))
    assert recorded.call[names.COST_USD] == "0"


def test_after_a_restart(driver: Driver, recorded: Recorded) -> None:
    """What was started before the instrumentation was renewed is not known any more."""
    start(driver, "accept")
    CostsInstrumentor().uninstrument()
    CostsInstrumentor().instrument(**recorded.providers)
    Wire(f"call_id={CALL}").created(expires_at=1_795_347_000).close()
    assert len(recorded.calls) == 1
