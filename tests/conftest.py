"""What all tests share; folders add a conftest of their own."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.fixtures", "tests.support.recorded"]

# No test depends on how fast the machine is.
settings.register_profile("otel_costs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("otel_costs")
