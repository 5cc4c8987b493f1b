"""How fast the stand-in speaks, where somebody is to see how a conversation goes."""

from collections import Counter

import pytest

from otel_costs.cli import demo_env, package_files
from otel_costs.stand_in import Provider

CALL = package_files.path("examples", "examples") / "support_assistant" / "voice_call.py"
QUIET = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")


@pytest.mark.long
def test_it_pauses_as_openai_does() -> None:
    """Before the first sound of each response, after a function, and for a third of the time that each sound lasts."""
    paused: list[float] = []
    with Provider() as openai, Provider() as deepgram:
        openai.realtime.pause = paused.append
        answering = demo_env.Provider(openai.base_url, deepgram.base_url)
        ran = demo_env.run(CALL, {**answering.environment, **QUIET})
    assert ran.returncode == 0, ran.errors
    counts = Counter(round(seconds, 3) for seconds in paused)
    # Three responses, a function; four sounds until the interruption, and the whole of the last answer.
    assert (counts[0.35], counts[0.25]) == (3, 1)
    assert counts[0.067] > 4 + 10


def test_without_a_pace_nothing_waits() -> None:
    """Nobody waits for a conversation that nobody watches."""
    with Provider() as provider:
        assert provider.realtime.pause(3600) is None


def test_a_stop_ends_a_pause() -> None:
    """Who presses Ctrl-C does not wait for the end of a sentence."""
    with Provider(pace=1) as provider:
        pass
    assert provider.realtime.pause(3600) is True
