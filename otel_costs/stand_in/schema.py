"""An example value for a JSON schema: what a model fills into tool arguments and structured outputs."""

import re
from collections.abc import Mapping
from typing import Any


def example(form: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> Any:
    """Return a value that fits `form`; texts and numbers are taken from `text` where it has them."""
    root = form if root is None else root
    if "$ref" in form:
        return example(_resolve(form["$ref"], root), text, root)
    if "const" in form:
        return form["const"]
    if "enum" in form:
        return next((value for value in form["enum"] if str(value).lower() in text.lower()), form["enum"][0])
    for key in ("anyOf", "oneOf", "allOf"):
        if form.get(key):
            return example(form[key][0], text, root)
    kind = form.get("type", "string")
    return _typed(kind[0] if isinstance(kind, list) else kind, form, text, root)


def _typed(kind: str, form: Mapping[str, Any], text: str, root: Mapping[str, Any]) -> Any:
    if kind == "object":
        return {name: example(part, text, root) for name, part in form.get("properties", {}).items()}
    if kind == "array":
        return [example(form.get("items", {}), text, root)] * max(form.get("minItems", 1), 1)
    if kind in ("integer", "number"):
        number = re.search(r"\d+(\.\d+)?", text)
        value = float(number[0]) if number else 1.0
        return int(value) if kind == "integer" else value
    return {"boolean": True, "null": None}.get(kind, text[:200])


def _resolve(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for key in reference.removeprefix("#").strip("/").split("/"):
        found = found[key] if key else found
    return dict(found)
