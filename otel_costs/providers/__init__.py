"""The provider surfaces that are watched: one module each, one line each.

A provider module has `MODULE`, the module whose import it waits for, and `install(patches)`.
"""

from typing import Final

PROVIDERS: Final = ("otel_costs.providers.openai",)
