"""The fields of a price file, read one by one; every error names file, line and field."""

import difflib
import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

import yaml

from otel_costs.pricing.price_entry import PriceFileError
from otel_costs.values import iso_dates

_MAX_WHOLE: Final = 1_000_000_000
_NULL: Final = "tag:yaml.org,2002:null"
_WHOLE: Final = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,18})?", re.ASCII)


class Fields:
    """A mapping of the file, read field by field; every complaint knows the line."""

    def __init__(self, file: str, path: str, node: yaml.Node, known: Collection[str]) -> None:
        self.file, self.path, self.node, self.line = file, path, node, node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise PriceFileError(file, self.line, path, f"must be a mapping of {', '.join(sorted(known)[:12])}")
        self.nodes: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in self.nodes:
                raise PriceFileError(file, key.start_mark.line + 1, self._path(name), "is given twice")
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known)[:12])}"
                raise PriceFileError(file, key.start_mark.line + 1, self._path(name), f"is not known{hint}")
            self.nodes[name] = value

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def fail(self, name: str, problem: str) -> NoReturn:
        """Complain about the field `name`."""
        node = self.nodes.get(name)
        raise PriceFileError(self.file, node.start_mark.line + 1 if node else self.line, self._path(name), problem)

    def has(self, name: str) -> bool:
        """Return whether `name` is given and not null."""
        node = self.nodes.get(name)
        return node is not None and node.tag != _NULL

    def text(self, name: str) -> str:
        """Return the text of a field that must be there."""
        if not self.has(name):
            self.fail(name, "is missing")
        return self._scalar(name, self.nodes[name])

    def optional(self, name: str) -> str | None:
        """Return the text of a field, None if it is not given."""
        return self.text(name) if self.has(name) else None

    def words(self, name: str) -> tuple[str, ...]:
        """Return one text or a list of texts, in lower case; empty if not given."""
        if not self.has(name):
            return ()
        node = self.nodes[name]
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not nodes:
            self.fail(name, "is an empty list")
        return tuple(self._scalar(name, item).lower() for item in nodes)

    def whole(self, name: str, least: int) -> int:
        """Return a whole number from `least` up."""
        text = self.text(name)
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= _MAX_WHOLE:
            self.fail(name, f"is {text!r}; it must be a whole number from {least} to {_MAX_WHOLE}")
        return int(text)

    def decimal(self, name: str, most: Decimal) -> Decimal:
        """Return a number that is written in quotes, from 0 to `most`."""
        text = self.text(name)
        if getattr(self.nodes[name], "style", None) not in ("'", '"'):
            self.fail(name, f'is not in quotes; write "{text}", so that it is read digit by digit and not as a float')
        if text.startswith("-"):
            self.fail(name, f"is negative: {text}")
        if not _NUMBER.fullmatch(text):
            self.fail(name, f'is {text!r}; it must be a number such as "2.50"')
        if (number := Decimal(text)) > most:
            self.fail(name, f"is {text}; the most is {most:,}")
        return number

    def flag(self, name: str) -> bool:
        """Return true or false; false if not given."""
        text = self.optional(name) or "false"
        if text not in ("true", "false"):
            self.fail(name, f"is {text!r}; it must be true or false")
        return text == "true"

    def time(self, name: str) -> datetime | None:
        """Return a moment, None if not given. A date alone is its midnight in UTC."""
        text = self.optional(name)
        if text is None:
            return None
        try:
            moment = iso_dates.moment(text)
        except ValueError:
            self.fail(name, f"is {text!r}; it must be a time such as 2026-11-22T00:00:00Z")
        if moment.tzinfo is None:
            if len(text) > len("2026-11-22"):
                self.fail(name, f"is {text!r}, which names no time zone; add Z for UTC")
            moment = moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail(name, f"is {text!r}, which is no time in UTC; leave it out where there is no limit")

    def day(self, name: str) -> date | None:
        """Return a date, None if not given."""
        text = self.optional(name)
        try:
            return None if text is None else iso_dates.day(text)
        except ValueError:
            self.fail(name, f"is {text!r}; it must be a date such as 2026-11-22")

    def fields(self, name: str, known: Collection[str]) -> "Fields":
        """Return the fields of a mapping; none if it is not given."""
        if self.has(name):
            return Fields(self.file, self._path(name), self.nodes[name], known)
        return Fields(self.file, self._path(name), yaml.MappingNode("", [], self.node.start_mark), known)

    def entries(self, name: str, known: Collection[str]) -> "Iterator[Fields]":
        """Yield the mappings of a list that must be there and have something in it."""
        if not self.has(name):
            self.fail(name, "is missing")
        node = self.nodes[name]
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fail(name, "must be a list with at least one entry")
        for number, item in enumerate(node.value):
            yield Fields(self.file, f"{self._path(name)}[{number}]", item, known)

    def _scalar(self, name: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.fail(name, "must be a text that is not empty")
        return str(node.value).strip()


def composed(text: str | bytes, file: str, max_depth: int, kind: str, parts: str) -> yaml.Node:
    """Return the YAML of `file`, which is of a `kind` that has `parts`; raise PriceFileError."""
    # libyaml's parser where PyYAML was built with it, which its wheels are: about ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_depth(text, loader, file, max_depth, kind)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PriceFileError(file, mark.line + 1 if mark else None, "", f"is not YAML: {problem}") from error
    if root is None:
        raise PriceFileError(file, 1, "", f"is empty: {kind} has {parts}")
    return root


def _refuse_depth(text: str | bytes, loader: Any, file: str, max_depth: int, kind: str) -> None:
    # PyYAML composes recursively in C: 100,000 brackets overflow its stack and take the host down, beyond any except.
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > max_depth:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise PriceFileError(file, line, "", f"is nested too deeply to be {kind}")
