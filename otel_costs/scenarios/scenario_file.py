"""Scenario files: YAML to the steps of a scripted conversation, or an error that names file, line and field."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from otel_costs.pricing import PriceFileError
from otel_costs.pricing.price_fields import composed
from otel_costs.scenarios.fields import ScenarioFields
from otel_costs.scenarios.steps import (
    CHAT,
    RESPONSES,
    Message,
    Scenario,
    Speech,
    Step,
    Talk,
    Transcription,
    quoted,
)

KINDS: Final = (CHAT, RESPONSES, "speech", "transcription")
MAX_SECONDS: Final = 600
"""Seconds of sound that are made for a transcription: more than OpenAI takes at once."""

_MAX_DEPTH: Final = 100  # a schema in `parameters` has some

_FILE: Final = ("name", "description", "user", "tags", "model", "steps")
_STEP: Final = ("step", "phase", "model", "parameters", *KINDS)
_TALK: Final = ("system", "history", "user", "continues")
_SPEECH: Final = ("text", "voice")
_TRANSCRIPTION: Final = ("file", "seconds", "speech")
_NO_MODEL: Final = {
    "speech": "speech has a model of its own, such as gpt-4o-mini-tts",
    "transcription": "a transcription has a model of its own, such as gpt-4o-mini-transcribe",
}
# What the steps say by themselves, and what would make another answer of it than the one that is read.
_OWN: Final = frozenset({"model", "messages", "input", "file", "voice", "stream", "stream_format", "background"})
_SESSION: Final = frozenset({"self", "id", "user", "kind", "scenario", "budget_usd", "unpriced", "soft"})


def load(path: Path) -> Scenario:
    """Read and check the scenario at `path`; raise PriceFileError, which names file, line and field."""
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise PriceFileError(file, None, "", f"cannot be read: {problem}") from error
    root = composed(text, file, _MAX_DEPTH, "a scenario", "a name and steps")
    top = ScenarioFields(file, "", root, _FILE)
    name = top.name("name")
    steps: list[Step] = []
    for entry in top.parts("steps", _STEP):
        steps.append(_step(entry, steps, top.optional("model")))
    return Scenario(
        name=name,
        description=top.optional("description") or "",
        user=top.optional("user"),
        tags=_tags(top),
        steps=tuple(steps),
    )


def _tags(top: ScenarioFields) -> Mapping[str, str]:
    tags = top.mapping("tags", _SESSION)
    for key, value in tags.items():
        if isinstance(value, dict | list) or value is None:
            top.fail("tags", f"must have a text for {key}")
    return {key: str(value) for key, value in tags.items()}


def _step(entry: ScenarioFields, earlier: Collection[Step], model: str | None) -> Step:
    name = entry.name("step")
    if any(step.name == name for step in earlier):
        entry.fail("step", f"is {name!r}, as another step is")
    kinds = [kind for kind in KINDS if entry.has(kind)]
    if len(kinds) != 1:
        problem = f"is {' and '.join(kinds)} in one" if kinds else "has no call"
        raise PriceFileError(entry.file, entry.line, entry.path, f"{problem}: give one of {', '.join(KINDS)}")
    kind = kinds[0]
    return Step(
        name=name,
        phase=entry.name("phase") if entry.has("phase") else "",
        model=_model(entry, kind, model),
        call=_call(entry, kind, earlier),
        parameters=entry.mapping("parameters", _OWN),
    )


def _model(entry: ScenarioFields, kind: str, of_file: str | None) -> str:
    """Return the model of a step. The file's is for words: what speaks or hears is of another kind."""
    model = entry.optional("model") or (of_file if kind in (CHAT, RESPONSES) else None)
    if model is None:
        entry.fail("model", f"is missing: {_NO_MODEL.get(kind, 'give one to the step, or to the file')}")
    return model


def _call(entry: ScenarioFields, kind: str, earlier: Collection[Step]) -> Talk | Speech | Transcription:
    if kind == "speech":
        return _speech(entry.part(kind, _SPEECH), earlier)
    if kind == "transcription":
        return _transcription(entry.part(kind, _TRANSCRIPTION), earlier)
    return _talk(entry.part(kind, _TALK), kind, earlier)


def _talk(given: ScenarioFields, kind: str, earlier: Collection[Step]) -> Talk:
    continues = given.optional("continues")
    if continues is not None:
        _need(given, "continues", continues, [step for step in earlier if isinstance(step.call, Talk)], "conversation")
        for name in ("system", "history"):
            if given.has(name):
                given.fail(name, f"has been said already in step {continues!r}, which this one continues")
    talk = Talk(
        kind=kind,
        system=given.optional("system"),
        history=tuple(_history(given)),
        turns=given.texts("user"),
        continues=continues,
    )
    if not talk.turns:
        given.fail("user", "is missing: what the user says, a text, or a list of texts for several turns")
    for name, texts in (("system", [talk.system or ""]), ("history", talk.history), ("user", talk.turns)):
        for text in texts:
            _need_quoted(given, name, text.text if isinstance(text, Message) else text, earlier)
    return talk


def _history(given: ScenarioFields) -> Iterator[Message]:
    if given.has("history"):
        for entry in given.parts("history", ("user", "assistant")):
            if len(entry.nodes) != 1:
                raise PriceFileError(entry.file, entry.line, entry.path, "must be one message: user or assistant")
            for role in entry.nodes:
                yield Message(role, entry.text(role))


def _speech(given: ScenarioFields, earlier: Collection[Step]) -> Speech:
    speech = Speech(given.text("text"), given.optional("voice") or "alloy")
    _need_quoted(given, "text", speech.text, earlier)
    return speech


def _transcription(given: ScenarioFields, earlier: Collection[Step]) -> Transcription:
    sources = [name for name in _TRANSCRIPTION if given.has(name)]
    if len(sources) != 1:
        problem = f"has {' and '.join(sources)}" if sources else "has no sound"
        raise PriceFileError(given.file, given.line, given.path, f"{problem}: give one of {', '.join(_TRANSCRIPTION)}")
    if speech := given.optional("speech"):
        _need(given, "speech", speech, [step for step in earlier if isinstance(step.call, Speech)], "step of speech")
        return Transcription(speech=speech)
    if given.has("seconds"):
        seconds = given.whole("seconds", 1)
        if seconds > MAX_SECONDS:
            given.fail("seconds", f"is {seconds}; the most is {MAX_SECONDS}")
        return Transcription(seconds=seconds)
    file = Path(given.file).parent / given.text("file")
    if not file.is_file():
        given.fail("file", f"is {given.text('file')!r}, and there is no such file beside the scenario")
    return Transcription(file=file)


def _need_quoted(given: ScenarioFields, field: str, text: str, earlier: Collection[Step]) -> None:
    """Raise if `text` quotes a step without words, or none before this one."""
    for name in quoted(text):
        speaking = [step for step in earlier if not isinstance(step.call, Speech)]
        _need(given, field, name, speaking, "step with words", label=f"${{{name}}}")


def _need(
    given: ScenarioFields, field: str, name: str, steps: Collection[Step], what: str, label: str | None = None
) -> None:
    if name not in [step.name for step in steps]:
        there = f"there are {', '.join(step.name for step in steps)}" if steps else "there is none"
        given.fail(field, f"names {label or repr(name)}, which is no earlier {what}; {there}")
