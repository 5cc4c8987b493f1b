"""The file of rules: what it may say, and what is told of the rest, with the line."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from otel_costs.chargeback import rules_file
from otel_costs.chargeback.rules_file import AllocationError

from .support import written

WHOLE = """\
zone: Europe/Berlin
tags:
  team:
    rules:
      - assign: search
        service: [search-api, "index*"]
        from: 2026-10-01
        until: 2026-12-31
      - {assign: sales, user: ada, tag.product: crm}
    shared:
      - {value: platform, split: {sales: 60, search: 40}, until: 2026-10-31}
      - {value: platform, split: by_spend, from: 2026-11-01}
      - {value: tools, split: evenly, among: [sales, search]}
"""


def test_all_of_it(tmp_path: Path) -> None:
    """Rules stay in their order; a day ends where the next one begins, in the zone of the file."""
    found = rules_file.read(written(tmp_path, WHOLE))
    team = found.of("tag.team")
    assert team is not None
    first, second = team.rules
    assert first.value == "search"
    assert first.conditions == {"service": ("search-api", "index*")}
    assert first.days.between(found.zone) == (
        datetime(2026, 9, 30, 22, tzinfo=UTC),
        datetime(2026, 12, 31, 23, tzinfo=UTC),
    )
    assert second.conditions == {"user": ("ada",), "tag.product": ("crm",)}
    assert [(one.value, one.split, one.among) for one in team.shared] == [
        ("platform", "shares", None),
        ("platform", "by_spend", None),
        ("tools", "evenly", ("sales", "search")),
    ]
    assert team.shared[0].shares == {"sales": Decimal(60), "search": Decimal(40)}
    assert found.of("team") is found.of("tag.other") is None


def test_the_users_pseudonym(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may be named plainly where users are recorded by pseudonyms."""
    monkeypatch.setenv("OTEL_COSTS_USER_HASH", "a salt that is long enough")
    found = rules_file.read(written(tmp_path, "tags: {team: {rules: [{assign: a, user: [ada, 'b*', '']}]}}"))
    named, pattern, none = found.tags["team"].rules[0].conditions["user"]
    assert named.startswith("u~")
    assert (pattern, none) == ("b*", "")


def test_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is given is over the variable; without both there are no rules. The zone is that of OTEL_COSTS_TZ."""
    monkeypatch.delenv("OTEL_COSTS_ALLOCATION", raising=False)
    assert rules_file.of_environment() is None
    path = written(tmp_path, "tags: {team: {rules: [{assign: a, service: b}]}}")
    monkeypatch.setenv("OTEL_COSTS_ALLOCATION", str(path))
    monkeypatch.setenv("OTEL_COSTS_TZ", "Asia/Tokyo")
    found = rules_file.of_environment()
    assert found is not None
    assert found.zone.key == "Asia/Tokyo"
    with pytest.raises(AllocationError, match="cannot be read"):
        rules_file.of_environment(tmp_path / "none.yaml")


def _rule(said: str) -> str:
    return f"tags:\n  team:\n    rules:\n      - {said}\n"


def _shared(said: str) -> str:
    return f"tags:\n  team:\n    shared:\n      - {said}\n"


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", 1, "fields with values"),
        ("tags: {", 1, "no YAML"),
        ("zone: UTC", 1, "give `tags`"),
        ("tags: {}", 1, "at least one tag"),
        ("tags: {team: {}}", 1, "`rules` or `shared`"),
        ("zone: Mars\ntags: {team: {rules: []}}", 1, "'Mars' is no time zone"),
        ("tags:\n  team: {rules: []}\n  team: {rules: []}", 3, "there twice"),
        ("tags: {team: {rule: []}}", 1, "`rule` is no field here; there are rules, shared"),
        (_rule("{service: a}"), 4, "`assign` is missing"),
        (_rule("{assign: a}"), 4, "needs a condition"),
        (_rule("{assign: a, servce: b}"), 4, "`servce` is no field of a rule; there are assign"),
        (_rule("{assign: a, tag.: b}"), 4, "`tag.` is no field"),
        (_rule("{assign: a, tag.team: b}"), 4, "keeps it"),
        (_rule("{assign: '', service: b}"), 4, "a word is wanted"),
        (_rule("{assign: a, service: []}"), 4, "at least one word"),
        (_rule("{assign: a, service: {x: y}}"), 4, "a list of words"),
        (_rule("{assign: a, service: }"), 4, "`service` says nothing"),
        (_rule("{assign: a, tag.cost center: , service: b}"), 4, "`tag.cost center` says nothing"),
        (_rule("\n        assign: a\n        user:\n          -\n          - ada"), 7, "`user` says nothing"),
        (_rule("{assign: a, service: b, from: yesterday}"), 4, "a day is wanted"),
        (_rule("{assign: a, service: b, from: 2026-02-30}"), 4, "a day is wanted"),
        (_rule("{assign: a, service: b, from: 2026-W48-1}"), 4, "a day is wanted"),
        (_rule("{assign: a, service: b, from: 20261122}"), 4, "a day is wanted"),
        (_rule("{assign: a, service: b, from: 2026-11-22T00:00}"), 4, "a day is wanted"),
        (_rule("{assign: a, service: b, from: 1900-01-01}"), 4, "no call is of this day"),
        (_rule("{assign: a, service: b, from: 2026-02-02, until: 2026-02-01}"), 4, "`until` is the last day"),
        (_shared("{split: evenly}"), 4, "`value` is missing"),
        (_shared("{value: a}"), 4, "`split` is missing"),
        (_shared("{value: a, split: fairly}"), 4, "`split` is evenly, by_spend, or shares"),
        (_shared("{value: a, split: {a: 1}}"), 4, "gets no part of itself"),
        (_shared("{value: a, split: {b: -1}}"), 4, "a share is a number from 0 on"),
        (_shared("{value: a, split: {b: x}}"), 4, "a share is a number from 0 on"),
        (_shared("{value: a, split: {b: 0}}"), 4, "more than nothing"),
        (_shared("{value: a, split: {b: 1}, among: [b]}"), 4, "shares name who gets a part"),
        (_shared("{value: a, split: evenly, among: []}"), 4, "at least one value"),
        (_shared("{value: a, split: {b: 1}}\n      - {value: b, split: evenly}"), 4, "'b' is shared itself"),
        (_shared("{value: a, split: evenly}\n      - {value: a, split: by_spend}"), 5, "two ways on the same day"),
    ],
)  # fmt: skip
def test_what_is_wrong(tmp_path: Path, content: str, line: int, said: str) -> None:
    """The message has the file, the line and what to write."""
    path = written(tmp_path, content)
    with pytest.raises(AllocationError, match=said) as caught:
        rules_file.read(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
