"""The command schema: how long things are kept, and where."""

import json

import pytest

from .support import run


@pytest.mark.long
def test_how_long_things_are_kept(store: str) -> None:
    """Days are taken over, said, and remembered; days that are none are a wrong call."""
    said = run("schema", "--content-days", "14", "--format", "json", url=store)
    assert said.exit_code == 0
    assert {change["name"] for change in json.loads(said.stdout)["changes"]} >= {"messages"}
    assert run("schema", url=store).stdout == "the schema is up to date\n"
    assert run("schema", "--content-days", "0", url=store).exit_code == 2
    assert run("schema", "--content-days", "30", url=store).exit_code == 0


def test_a_cluster_that_has_no_name(store: str) -> None:
    """It is a wrong call, and nothing was made."""
    said = run("schema", "--cluster", "a b", url=store)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "is no name of a cluster" in said.stderr
