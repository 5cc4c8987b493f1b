"""What the price table lacks, with the entry that mends it, as a page and scripts ask for it."""

import csv
import io
from contextlib import closing
from pathlib import Path

import pytest

from otel_costs import pricing
from otel_costs.local import Stack
from otel_costs.pricing import price_file
from otel_costs.pricing.price_entry import PriceFileError
from otel_costs.pricing.price_stanza import TO_FILL_IN
from otel_costs.store import connect
from otel_costs.store.missing_prices import missing_prices
from otel_costs.store.selection import Selection

from .support import asked, got, sent

ODD = 'of "their" own: #1 \n'


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: models that nobody knows, one that lacks a rate, and what no price mends."""
    api = f"{emptied_stack.http_url}/api/v1"
    chat = {"operation": "chat", "provider": "acme", "model": "large", "session": "s"}
    speech = {"operation": "speech_to_text", "provider": "acme", "model": "ear"}
    used = {"input_tokens": 1000, "cache_read_tokens": 500, "output_tokens": 100, "output_reasoning_tokens": 50}
    calls = [
        {**chat, "usage": used},
        {**chat, "usage": {"input_tokens": 10, "input_audio_tokens": 5}, "user": "ada", "session": "t"},
        {**speech, "usage": {"audio_seconds": 30}},
        {**chat, "model": ODD, "usage": {"input_tokens": 1}},
        {**chat, "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1, "dreams": 2}},
        {**chat, "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 10}},
        {**chat, "provider": "openai", "model": "gpt-4o-mini", "usage": {"input_tokens": 10, "training_tokens": 3}},
    ]
    assert sent(f"{api}/calls", calls).status == 200
    return api


def test_what_is_missing(api: str) -> None:
    """The models with most calls first; units that have the rate of their whole are not asked for."""
    found = got(f"{api}/prices/missing")["missing"]
    large, *others = found
    assert (large["provider"], large["model"], large["call_count"], large["unpriced_calls"]) == ("acme", "large", 2, 2)
    assert large["reasons"] == ["unknown_model"]
    assert "input_tokens" in large["stanza"]
    assert "input_audio_tokens" in large["stanza"]
    assert "reasoning" not in large["stanza"]
    assert {row["model"] for row in others} == {"ear", ODD, "gpt-4o-mini"}
    (ear,) = (row for row in others if row["model"] == "ear")
    assert "audio_seconds" in ear["stanza"]
    assert "per: 60" in ear["stanza"]
    (mini,) = (row for row in others if row["model"] == "gpt-4o-mini")
    assert (mini["units"], mini["unpriced_calls"]) == (["training_tokens"], 0)
    assert "base:" in mini["stanza"]
    assert [row["model"] for row in got(f"{api}/prices/missing", user="ada")["missing"]] == ["large"]
    rows = list(csv.DictReader(io.StringIO(asked(f"{api}/prices/missing", format="csv").text)))
    assert [row["stanza"] for row in rows] == [row["stanza"] for row in found]


@pytest.mark.usefixtures("api")
def test_a_file_of_it_mends_it(emptied_stack: Stack, tmp_path: Path) -> None:
    """As it is it is refused, for nothing may cost zero by it; with rates, all of it has a price."""
    with closing(connect(emptied_stack.http_url)) as client:
        found = missing_prices(client, Selection())
        text = "version: '1'\ncurrency: USD\nprices:\n" + "".join(row["stanza"] for row in found)
        with pytest.raises(PriceFileError, match="usd"):
            price_file.parse(text, "own.yaml")
        path = tmp_path / "own.yaml"
        path.write_text(text.replace(TO_FILL_IN, "0.5"))
        pricing.use(pricing.load(str(path)))
        try:
            again = missing_prices(client, Selection())
        finally:
            pricing.use(None)
    assert [(row["model"], row["units"], row["stanza"]) for row in again] == [(row["model"], [], None) for row in found]
