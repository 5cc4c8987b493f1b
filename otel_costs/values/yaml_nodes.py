"""YAML that people write, read node by node, so that what is wrong is told with its line."""

import os
import re
from pathlib import Path
from typing import Final

import yaml

from otel_costs.values.sanitize import without_credentials

_QUOTED: Final = re.compile(r""" ('(?!\\.'|<)[^']{2,}'|"[^"]{2,}")""")


class NodeError(Exception):
    """What a node holds is not what is wanted there; `line` is where, from 1."""

    def __init__(self, node: yaml.Node | None, message: str) -> None:
        super().__init__(message)
        self.line = 1 if node is None else node.start_mark.line + 1


class UnreadableError(Exception):
    """A file cannot be read, or is no YAML; the message names it, and the line where there is one."""


def compose(path: str | os.PathLike[str]) -> yaml.Node | None:
    """Return the tree of a file; None is an empty one. Raises UnreadableError."""
    try:
        return yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UnreadableError(f"{without_credentials(os.fspath(path))} cannot be read: {problem}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}{f', line {mark.line + 1}' if mark else ''}"
        raise UnreadableError(f"{where}: it is no YAML{_problem(error)}") from None
    except RecursionError:
        raise UnreadableError(f"{path}: it is nested too deeply") from None


def mapping(node: yaml.Node | None, allowed: tuple[str, ...] | None = None) -> dict[str, yaml.Node]:
    """Return the fields of a node, each there once, of those that are `allowed`. Raises NodeError."""
    if not isinstance(node, yaml.MappingNode):
        raise NodeError(node, "fields with values are wanted here")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = text(key)
        if name in found:
            raise NodeError(key, f"`{name}` is there twice")
        if allowed is not None and name not in allowed:
            raise NodeError(key, f"`{name}` is no field here; there are {', '.join(allowed)}")
        found[name] = value
    return found


def listed(node: yaml.Node) -> list[yaml.Node]:
    """Return the items of a list. Raises NodeError."""
    if not isinstance(node, yaml.SequenceNode):
        raise NodeError(node, "a list is wanted here")
    return list(node.value)


def text(node: yaml.Node) -> str:
    """Return a word, as it is written. Raises NodeError for none, and for an empty one."""
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise NodeError(node, "a word is wanted here")
    return str(node.value)


def _problem(error: yaml.YAMLError) -> str:
    """Return what is wrong, in the words of the parser: without names of the file's own, which may be secrets."""
    problem = getattr(error, "problem", None)
    return f": {_QUOTED.sub('', problem)}" if problem else ""
