"""Keep the schema of a revision for the tests of upgrades: python -m tests.store.schemas.freeze REVISION NAME.

To be run with each release, and when tables change. The statements are those that the revision itself would run.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

_PROGRAM: Final = """
import json
from dataclasses import asdict
from otel_costs.store import files, schema
made = files.statements(asdict(schema.Retention()), "`default`")
kept = [schema._VERSIONS, *(one for one in made if one.kind != "handler")]
print(json.dumps([[one.kind, one.name, one.body, "" if one is schema._VERSIONS else one.checksum] for one in kept]))
"""


def main(revision: str, name: str) -> None:
    """Write NAME.json beside this file."""
    archive = subprocess.run(["git", "archive", revision], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
        environment = {**os.environ, "PYTHONPATH": folder}
        found = subprocess.run(
            [sys.executable, "-c", _PROGRAM], cwd=folder, env=environment, capture_output=True, check=True
        )
    statements = json.loads(found.stdout)
    body = json.dumps({"version": name.partition("-")[0], "statements": statements}, indent=1)
    (Path(__file__).parent / f"{name}.json").write_text(f"{body}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
