"""`otel-costs local` and `otel-costs web` under rules: by the option and by the variable, read when they start."""

from pathlib import Path

import pytest

from otel_costs.local import Stack, StartError
from tests.cli.support import run
from tests.web.support import got, sent

from .support import written

pytestmark = pytest.mark.long

RULES = "tags: {team: {rules: [{assign: search, service: indexer}]}}"


def test_local_under_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read before the process is confined to its folder; what is changed later counts after a start."""
    path = written(tmp_path, RULES)
    monkeypatch.setenv("OTEL_COSTS_ALLOCATION", str(tmp_path / "none.yaml"))
    with Stack(tmp_path / "data", allocation=path) as stack:
        api = f"{stack.http_url}/api/v1"
        usage = {"input_tokens": 1000, "output_tokens": 200}
        call = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": usage}
        assert sent(f"{api}/calls", [{**call, "service": "indexer"}, call]).status == 200
        path.write_text("")
        found = got(f"{api}/costs", by="tag.team")["costs"]
        assert {row["tag.team"]: row["cost_usd"] for row in found} == {"search": "0.004500", "": "0.004500"}
        assert got(f"{api}/summary", tag_team="search")["call_count"] == 1


def test_rules_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts with them; the line is said."""
    path = written(tmp_path, "tags: {team: {rules: [{assign: search}]}}")
    with pytest.raises(StartError, match="line 1: a rule needs a condition"), Stack(tmp_path / "data", allocation=path):
        pass
    monkeypatch.setenv("OTEL_COSTS_ALLOCATION", str(path))
    with pytest.raises(StartError, match="line 1: a rule needs a condition"), Stack(tmp_path / "data"):
        pass
    said = run("web", "--port", "0", environ={"OTEL_COSTS_ALLOCATION": str(path)})
    assert said.exit_code == 2
    assert "line 1: a rule needs a condition" in said.stderr
