"""What all tests share; folders add a conftest of their own. And which tests run: `--long` runs them all."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import pytest

from tests.support import selection

_IN_MEMORY = "/dev/shm"
_ROOM = 4 * 2**30
"""Bytes that have to be free there: a whole run leaves less than one GiB."""

pytest_plugins = ["tests.support.fixtures", "tests.support.recorded", "tests.support.stack"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the tests that are marked `long`, too, and draw more examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    selection.configure(long=config.getoption("long"))
    if os.path.isdir(_IN_MEMORY) and shutil.disk_usage(_IN_MEMORY).free > _ROOM:
        # Stores are made of many small files, and each insert waits for its own to be on the disk.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _IN_MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return three for two processors: many tests wait, for another process or for a provider."""
    return max(1, len(os.sched_getaffinity(0)) * 3 // 2)


def pytest_report_header(config: pytest.Config) -> str:
    return "long: all tests" if config.getoption("long") else "long: left out; --long runs them, too"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.leave_some(items)
    config.stash[selection.COLLECTED] = selection.Collected(items)
    if not config.getoption("long"):
        config.hook.pytest_deselected(items=[item for item in items if selection.is_long(item)])
        items[:] = [item for item in items if not selection.is_long(item)]
    selection.longest_first(items)


def pytest_collection_finish() -> None:
    """Have `gc.collect`, which many tests call, pass by the modules and the tests themselves: that takes a second."""
    gc.collect()
    gc.freeze()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash[selection.COLLECTED].deselected.append(item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what processes leave for the next one, and updates of prices, from the machine's own and other runs'."""
    folder = str(tmp_path_factory.mktemp("tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        patch.setitem(os.environ, "XDG_DATA_HOME", os.path.join(folder, "data"))
        yield
