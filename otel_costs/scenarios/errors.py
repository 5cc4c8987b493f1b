"""Why a scenario cannot be run: each message says what to do next."""

from collections.abc import Iterable


class ScenarioError(Exception):
    """A scenario cannot be run, or not to its end."""


class UnknownScenarioError(ScenarioError):
    """No scenario of the package has this `name`, and no file; `known` are the names that there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(f"no scenario {name!r}; there are {', '.join(self.known)}. Or give the path of a YAML file")
