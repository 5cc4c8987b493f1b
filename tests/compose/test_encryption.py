"""ClickHouse's encrypted disk: the very file that the compose file adds, in the embedded engine of the same version."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.compose.conftest import CHECKOUT, Read
from tests.support import canary

CONFIG = CHECKOUT / "clickhouse" / "encryption" / "otel_costs.xml"
KEY = "5c" * 32

PROGRAM = """
import json, sys
import clickhouse_connect
from otel_costs.store import schema

path, applied, *statements = json.loads(sys.stdin.read())
client = clickhouse_connect.get_client(interface="chdb", path=path)
if applied:
    schema.apply(client)
for statement in statements:
    print(json.dumps(client.query(statement).result_rows, default=str))
"""

MESSAGE = (
    "insert into otel_logs (Timestamp, EventName, Body, LogAttributes) values"
    f" (now64(9), 'otel_costs.message', '{canary.WORD}', map('session.id', 's1', 'otel_costs.message.id', 'm1'))"
)
STORED = "select content from session_messages"


def run(
    folder: Path, *statements: str, key: str | None = KEY, applied: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run statements in a process of its own, over a store whose disk is encrypted; without a key over a plain one."""
    path = f"{folder}?config-file={CONFIG}" if key is not None else str(folder)
    environ = {name: value for name, value in os.environ.items() if name != "OTEL_COSTS_DISK_KEY"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([path, applied, *statements]),
        env=environ | ({"OTEL_COSTS_DISK_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.long
def test_all_tables_lie_on_the_encrypted_disk(tmp_path: Path) -> None:
    """What is stored is read with the key, and no file has a word of it; the schema is made as ever."""
    tables = "select groupUniqArray(storage_policy) from system.tables where engine like '%MergeTree'"
    done = run(tmp_path / "data", MESSAGE, STORED, tables, applied=True)
    assert done.returncode == 0, done.stderr
    _, stored, policies = map(json.loads, done.stdout.splitlines())
    assert stored == [[canary.WORD]]
    assert policies == [[["otel_costs_encrypted"]]]
    assert len(canary.files(tmp_path / "data" / "encrypted")) > 50
    assert canary.found(tmp_path) == []
    again = run(tmp_path / "data", STORED)
    assert json.loads(again.stdout) == [[canary.WORD]]


@pytest.mark.long
def test_the_word_is_found_on_a_plain_disk(tmp_path: Path) -> None:
    """So that the look for it is one."""
    done = run(tmp_path / "data", MESSAGE, STORED, key=None, applied=True)
    assert done.returncode == 0, done.stderr
    assert canary.found(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("key", ["", "7d" * 32, "short"])
def test_without_its_key_nothing_is_read(tmp_path: Path, key: str) -> None:
    """It does not start with another key, or none, and never goes on in plain words."""
    table = ("create table t (a String) engine = MergeTree order by a", "insert into t values ('a')")
    assert run(tmp_path / "data", *table).returncode == 0
    done = run(tmp_path / "data", "select * from t", key=key)
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.long
def test_a_store_that_is_plain_is_not_taken(tmp_path: Path) -> None:
    """The server does not start over one: nobody believes that it is encrypted."""
    assert run(tmp_path / "data", "create table t (a String) engine = MergeTree order by a", key=None).returncode == 0
    assert run(tmp_path / "data", "insert into t values ('a')", key=None).returncode == 0
    assert run(tmp_path / "data", "select * from t").returncode != 0


def test_the_compose_file_brings_it(read: Read, secrets: Mapping[str, str]) -> None:
    """On top of the other it adds the configuration and the key, which has no default, to the server alone."""
    name = "docker-compose.encrypted.yml"
    lacking = read(secrets, on_top=name)
    assert lacking.returncode == 1
    assert "required variable OTEL_COSTS_DISK_KEY is missing a value" in lacking.stderr
    keyed = {**secrets, "OTEL_COSTS_DISK_KEY": KEY}
    plain, encrypted = (json.loads(read(keyed, on_top=on_top).stdout)["services"] for on_top in (None, name))
    server = encrypted.pop("clickhouse")
    before = plain.pop("clickhouse")
    settings = [
        {service: said.get("environment") for service, said in services.items()} for services in (encrypted, plain)
    ]
    assert settings[0] == settings[1]
    assert server["environment"] == {**before["environment"], "OTEL_COSTS_DISK_KEY": KEY}
    (added,) = [volume for volume in server["volumes"] if volume["target"] not in _targets(before)]
    assert added["source"].endswith("clickhouse/encryption/otel_costs.xml")
    assert added["target"].startswith("/etc/clickhouse-server/config.d/")
    assert added["read_only"]


def _targets(service: Any) -> set[str]:
    return {volume["target"] for volume in service["volumes"]}


def test_the_app_has_the_keys_that_are_given(read: Read, secrets: Mapping[str, str]) -> None:
    """A variable that is not set is not there at all: an empty salt would be none, and record no user."""
    names = {"OTEL_COSTS_CONTENT_KEY", "OTEL_COSTS_USER_HASH"}
    for given in ({}, dict.fromkeys(names, KEY)):
        found = json.loads(read({**secrets, **given}).stdout)["services"]["web"]["environment"]
        assert {name: found[name] for name in names if found.get(name) is not None} == given
