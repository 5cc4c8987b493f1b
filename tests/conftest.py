"""What all tests share; folders add a conftest of their own."""

pytest_plugins = ["tests.support.fixtures", "tests.support.recorded"]
