"""What all tests share; folders add a conftest of their own."""

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.fixtures", "tests.support.recorded"]

# No test depends on how fast the machine is.
settings.register_profile("otel_costs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("otel_costs")


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what processes leave for the next one, and updates of prices, from the machine's own and other runs'."""
    folder = str(tmp_path_factory.mktemp("tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        patch.setitem(os.environ, "XDG_DATA_HOME", os.path.join(folder, "data"))
        yield
