"""What collector/config.yaml promises by its text alone."""

import re

import yaml

from .support import CONFIG


def test_it_is_short_and_says_why() -> None:
    """One file, a hundred lines at most, and a comment for every part of it."""
    lines = CONFIG.read_text().splitlines()
    assert len(lines) <= 100
    assert sum("#" in line for line in lines) >= 15


def test_no_variable_is_undocumented() -> None:
    """Every variable but the token has a default in the file, and nothing listens beyond loopback by itself."""
    found = dict(re.findall(r"\$\{env:([A-Z_]+)(:-[^}]*)?\}", CONFIG.read_text()))
    assert {name for name, default in found.items() if not default} == {"OTEL_COSTS_TOKEN"}
    assert found["OTLP_HOST"] == ":-127.0.0.1"


def test_both_copies_of_the_patterns_are_equal() -> None:
    """What is replaced and what is looked for afterwards is the same."""
    statements = yaml.safe_load(CONFIG.read_text())["processors"]["transform/content"]["log_statements"]
    replaced = next(re.search(r'"value", "(.*)", "\[', line) for line in statements if line.startswith("replace_all"))
    checked = next(re.search(r'IsMatch\(log.cache, "(.*)"\)', line) for line in statements if "IsMatch" in line)
    assert replaced
    assert checked
    assert replaced[1] == checked[1]
