"""The fields of a scenario file, read as those of a price file are; every error names file, line and field."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import yaml

from otel_costs.pricing.price_fields import Fields

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class ScenarioFields(Fields):
    """A mapping of a scenario: as in a price file, with names, texts and values that are sent as they are."""

    def name(self, name: str) -> str:
        """Return a name: letters, digits, - and _."""
        text = self.text(name)
        if not NAME.fullmatch(text):
            self.fail(name, f"is {text!r}; it must be letters, digits, - and _, at most 64")
        return text

    def texts(self, name: str) -> tuple[str, ...]:
        """Return one text or a list of texts; empty if not given."""
        if not self.has(name):
            return ()
        node = self.nodes[name]
        return tuple(self._scalar(name, item) for item in (node.value if _is_list(node) else [node]))

    def part(self, name: str, known: Collection[str]) -> "ScenarioFields":
        """Return the fields of a mapping that is given."""
        return ScenarioFields(self.file, self._path(name), self.nodes[name], known)

    def parts(self, name: str, known: Collection[str]) -> Iterator["ScenarioFields"]:
        """Yield the mappings of a list that must be there and have something in it."""
        if not self.has(name):
            self.fail(name, "is missing")
        node = self.nodes[name]
        if not _is_list(node) or not node.value:
            self.fail(name, "must be a list with at least one entry")
        for number, item in enumerate(node.value):
            yield ScenarioFields(self.file, f"{self._path(name)}[{number}]", item, known)

    def mapping(self, name: str, refused: Collection[str]) -> Mapping[str, Any]:
        """Return a mapping of texts to anything; empty if not given. None of `refused` may be in it."""
        if not self.has(name):
            return {}
        try:
            found = yaml.constructor.SafeConstructor().construct_document(self.nodes[name])
        except yaml.YAMLError:
            self.fail(name, "is no value")
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            self.fail(name, "must be a mapping")
        if wrong := sorted(refused & found.keys()):
            self.fail(name, f"must not have {', '.join(wrong)}")
        return found


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)
