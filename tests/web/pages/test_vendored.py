"""What is vendored is what was published, under a licence, and small."""

import base64
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest

STATIC: Final = resources.files("otel_costs.web").joinpath("static")
VENDOR: Final = STATIC.joinpath("vendor")
MANIFEST: Final[list[dict[str, Any]]] = json.loads(VENDOR.joinpath("vendor.json").read_text("utf-8"))
MOST_GZIPPED: Final = 120_000


def integrity(content: bytes) -> str:
    """Return the hash as package managers write it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def test_every_file_is_as_published() -> None:
    """Each vendored file has the recorded hash, and each is recorded, its licence with it."""
    recorded = {name: file["integrity"] for package in MANIFEST for name, file in package["files"].items()}
    found = {entry.name: integrity(entry.read_bytes()) for entry in VENDOR.iterdir() if entry.name != "vendor.json"}
    assert found == recorded
    for package in MANIFEST:
        assert any(name.startswith("LICENSE") for name in package["files"]), package["name"]
        assert package["license"] in ("MIT", "Apache-2.0")


@pytest.mark.long
@pytest.mark.parametrize("package", MANIFEST, ids=[package["name"] for package in MANIFEST])
def test_the_published_package_has_them(package: dict[str, Any], tmp_path: Path) -> None:
    """The package that its registry serves has the recorded hash, and in it are these files."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here to fetch the published package with")
    name = f"{package['name']}@{package['version']}"
    packed = subprocess.run(
        ["npm", "pack", name, "--silent"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    if packed.returncode:
        pytest.skip("the registry does not answer")
    content = (tmp_path / packed.stdout.split()[-1]).read_bytes()
    assert integrity(content) == package["integrity"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for file in package["files"].values():
            found = archive.extractfile(f"package/{file['published_as']}")
            assert found is not None
            assert integrity(found.read()) == file["integrity"]


def test_small() -> None:
    """All that a page loads is at most 120 kB when it is compressed."""

    def below(folder: Any) -> Any:
        for entry in folder.iterdir():
            if entry.is_dir():
                yield from below(entry)
            elif entry.name.endswith((".js", ".mjs", ".css", ".svg")):
                yield len(gzip.compress(entry.read_bytes(), 9))

    assert sum(below(STATIC)) <= MOST_GZIPPED


def test_no_module_makes_markup() -> None:
    """The ways to turn text into markup or code are in no module of ours."""
    ways = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "dangerouslySetInnerHTML",
        "document.write",
        "eval(",
        "Function(",
    )

    def below(folder: Any) -> Any:
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name != "vendor":
                yield from below(entry)
            elif entry.name.endswith(".js"):
                yield entry

    for module in below(STATIC):
        text = module.read_text("utf-8")
        assert not [way for way in ways if way in text], module.name
