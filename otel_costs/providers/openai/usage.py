"""What an answer in OpenAI's protocol says that it used, and what it says that it cost.

Pure functions of the answer and the request, for all providers that speak OpenAI's protocol. They never raise: what is
malformed is named in `Usage.invalid`, what is not there is absent, and no usage at all is None, never zeros. Zeros
beside an answer are no usage either: gateways write them where they know none, and no prompt has no tokens.

An endpoint is its path without ids: `chat/completions`, `responses`, `threads/runs`, ... (`ENDPOINTS`). The answer to
one that is not in the list is read for a `usage` object.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING
from typing import Any, Final

from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai.jobs import FAILED, is_over
from otel_costs.usage import NOTHING, Usage
from otel_costs.usage.merging import has_usage, in_one, with_reported
from otel_costs.usage.numbers import EXACT, number
from otel_costs.usage.reported import read, unaccounted
from otel_costs.values import audio_length
from otel_costs.values.audio_length import Sound

__all__ = ["ENDPOINTS", "ModelUsage", "priced_model", "read_others", "read_usage"]

_Json = Mapping[str, Any]

IMAGE_TOOL_MODEL: Final = "gpt-image-2.6-sunburst"
"""The model of the image generation tool where none is named (documented default of openai 3.54)."""


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What was used of a model other than the call's own, None when the answer does not name it."""

    model: str | None
    usage: Usage


def read_usage(endpoint: str, body: object, request: _Json | None = None, provider: str | None = None) -> Usage | None:
    """Return what the answer `body` says that the call used; None when it says nothing (yet).

    `body` is the answer's JSON, the chunk or event of a stream that carries the usage, the text of a transcript, or
    the bytes of spoken audio (`Sound` when they were not kept). `request` is the request's JSON or form, its files too.
    `provider` is the one that answered, if known: some count otherwise than OpenAI does.
    """
    try:
        found = ENDPOINTS.get(endpoint, _of_unknown)(body, request or {}, provider)
        if found is None:
            return None
        if endpoint in _BY_OTHER_MEASURES:
            found = with_reported(found, usage_in(body), provider) or found
        further = _further(endpoint, body)
        return found + Usage({}, unknown=further) if further else found
    except Exception:  # noqa: BLE001  # whatever a provider sends, the call goes on
        return Usage({}, ("usage",))


_BY_OTHER_MEASURES: Final = frozenset({"videos", "fine_tuning/jobs"})
"""Endpoints whose answers say elsewhere what was used; a usage object that they may get one day is read as well."""


def read_others(endpoint: str, body: object, request: _Json | None = None) -> tuple[ModelUsage, ...]:
    """Return what the same answer used of other models: tools that generate images, evaluations, graders."""
    try:
        reader = _OTHERS.get(endpoint)
        return tuple(reader(body, request or {})) if reader and isinstance(body, dict) else ()
    except Exception:  # noqa: BLE001
        return ()


def priced_model(endpoint: str, body: object, request: _Json | None = None) -> str | None:
    """Return the name that a price is listed under where the model's is not enough: `dall-e-3/standard/1024x1024`,
    `sora-2-pro/1792x1024`. None where it is."""
    if not endpoint.startswith(PRICED_BY_SIZE):
        return None
    asked: _Json = request or {}
    answer: _Json = body if isinstance(body, dict) else {}
    model = answer.get("model") or asked.get("model")
    if not isinstance(model, str):
        return None
    size = answer.get("size") or asked.get("size")
    if endpoint.startswith("images/") and not has_usage(answer.get("usage")):
        quality = answer.get("quality") or asked.get("quality")
        return f"{model}/{_chosen(quality, 'standard')}/{_chosen(size, '1024x1024')}"
    return f"{model}/{_chosen(size, '720x1280')}" if endpoint == "videos" else None


PRICED_BY_SIZE: Final = ("images/", "videos")
"""Beginnings of the endpoints whose prices may be listed under more than the model's name."""


def usage_in(body: object) -> object:
    """Return the usage object of a body, None if it has none.

    Groq's streams have it in a field of their own, others in a choice. Whether the usage of a choice is
    part of that of the body is not known: where they differ, it is among the keys without a meaning.
    """
    if not isinstance(body, dict):
        return None
    usage, choices = body.get("usage"), body.get("choices")
    if isinstance(choices, list) and any("usage" in one for one in choices if isinstance(one, dict)):
        found = [one["usage"] for one in choices if isinstance(one, dict) and has_usage(one.get("usage"))]
        usage = usage if has_usage(usage) or not found else found[0]
        if isinstance(usage, dict) and (others := [other for other in found if other != usage]):
            usage = {**usage, "choices": others}
    elsewhere = _dig(body, "x_groq", "usage") if "x_groq" in body else None
    return usage if elsewhere is None else in_one((usage, elsewhere))


_READ: Final = frozenset({"usage", "per_model_usage", "model_grader_token_usage_per_model", "svg_usage"})
"""Fields whose usage is read, as that of the call or of another model."""


def _further(endpoint: str, body: object) -> tuple[str, ...]:
    """Return the numbers in usages of an answer that are not read: Groq's `usage_breakdown`, those of output items."""
    if not isinstance(body, dict):
        return ()
    answer: _Json = response_of(body) if "response" in body else body
    usages = {key: value for key, value in answer.items() if "usage" in key and key not in _READ}
    for item in hosted_tools.objects(answer.get("output")) if "output" in answer else ():
        usages |= {f"{_type(item)}.{key}": item[key] for key in item if "usage" in key and key != "svg_usage"}
    if endpoint == "responses" and isinstance(tools := usages.get("tool_usage"), dict):
        usages["tool_usage"] = {tool: _unread(tool, spent) for tool, spent in tools.items()}
    return unaccounted(usages) if usages else ()


def _unread(tool: str, spent: object) -> object:
    """Return what is not read of the usage of a tool: its searches are, and images are a call of their own."""
    if tool == "image_gen" and isinstance(spent, dict):
        return None
    if tool == "web_search" and isinstance(spent, dict):
        return {key: value for key, value in spent.items() if key != "num_requests"}
    return spent


def _of_unknown(body: object, _: _Json, provider: str | None) -> Usage | None:
    """Read the usage object of an endpoint that we do not know: its zeros may be true."""
    return None if (usage := usage_in(body)) is None else read(usage, provider)


def _of_tokens(body: object, request: _Json, provider: str | None) -> Usage | None:
    """Read the usage object of `body`: of decisions, speech and transcripts."""
    return _unless_hollow(_of_unknown(body, request, provider), body)


def _of_words(body: object, _: _Json, provider: str | None) -> Usage | None:
    """Read the usage object of a completion, a response or a run, which has input and output."""
    found = None if (usage := usage_in(body)) is None else read(usage, provider, has_both=True)
    return _unless_hollow(found, body)


def _of_chat(body: object, request: _Json, provider: str | None) -> Usage | None:
    found = None if (usage := usage_in(body)) is None else read(usage, provider, has_both=True)
    if found is not None and not any(found.quantities.values()):
        found = _unless_hollow(found, body)
    if found is not None and "web_searches" in found.quantities:
        return found
    models = (request.get("model"), body.get("model") if isinstance(body, dict) else None)
    searches = "search" in f"{models}" and hosted_tools.always_search(models)
    if not searches and request.get("web_search_options") is None:
        return found
    # A search model searches for every request, and does not say how often.
    return (found or NOTHING) + Usage.of({"web_searches": 1}, estimated=True)


def _unless_hollow(found: Usage | None, body: object) -> Usage | None:
    """Return a usage, None for one of zeros; they are true of what failed or was cancelled before its first word."""
    if found is None or not found.is_hollow:
        return found
    body = response_of(body)
    return found if isinstance(body, Mapping) and _came_to_nothing(body) else None


_MADE: Final = ("output", "choices", "data", "text", "b64_json")
"""Fields in which answers have what was made."""


def _came_to_nothing(body: _Json) -> bool:
    """Return whether an answer says that it failed or was cancelled, and has nothing that was made before."""
    failed = body.get("status") in FAILED or bool(body.get("error"))
    return failed and not any(map(body.get, _MADE)) and not _dig(body, "request_counts", "completed")


def _of_response(body: object, request: _Json, provider: str | None) -> Usage | None:
    """Read the tokens of a response and the tools that were used; without a usage, the tools that cost something."""
    response = response_of(body)
    found = _of_words(response, request, provider)
    if found is None and response is not body:
        found = _of_words(body, request, provider)  # some say it beside the response
    for tools in _of_tools(response, request) if isinstance(response, dict) else ():
        if found is None:
            found = tools
        elif not (found.quantities.get("web_searches") and "web_searches" in tools.quantities):  # the usage said them
            found = found + tools
    return found


def response_of(body: object) -> Any:
    """Return the response itself, of an event of a stream that has it in it."""
    return body["response"] if isinstance(body, dict) and isinstance(body.get("response"), dict) else body


def _of_tools(body: _Json, request: _Json) -> Iterator[Usage]:
    """Count the built-in tools that were used; one that was not is left out."""
    items, tools = hosted_tools.objects(body.get("output")), hosted_tools.asked(body, request)
    searched, estimated = _dig(body, "tool_usage", "web_search", "num_requests"), False
    if searched is None:
        searched, estimated = hosted_tools.searches(items)
    if searched:
        preview = {"preview_web_searches": searched} if hosted_tools.preview_searches(tools) else {}
        yield Usage.of({"web_searches": searched, **preview}, estimated=estimated)
    if files := sum(_type(item) == "file_search_call" for item in items):
        yield Usage.of({"file_searches": files})
    # One that was made for this response may serve the next one as well: that it is new here is an estimate.
    if made := hosted_tools.containers(tools, items):
        yield Usage.of(made, estimated=True)


def _of_embeddings(body: object, _: _Json, provider: str | None) -> Usage | None:
    usage = usage_in(body)
    if isinstance(usage, dict) and not usage.get("prompt_tokens") and not usage.get("input_tokens"):
        usage = {**usage, "input_tokens": usage.get("total_tokens")}  # some providers say the total alone
    return None if usage is None else _unless_hollow(read(usage, provider), body)


def _of_speech(body: object, request: _Json, provider: str | None) -> Usage | None:
    """Read spoken audio: tokens where they are said, else characters, and seconds where the sound's format says them.

    Seconds only for OpenAI's models: their prices say that one measure covers the other.
    """
    if (found := _of_tokens(body, request, provider)) is not None:
        spoken = found.quantities.get("output_tokens")
        return found + Usage.of({"output_audio_tokens": spoken} if spoken is not None else {})
    text, model = request.get("input"), request.get("model")
    quantities: dict[str, object] = {"input_characters": len(text)} if isinstance(text, str) else {}
    if isinstance(body, (bytes, bytearray)):
        body = Sound(bytes(body[: audio_length.HEAD]), len(body))
    if isinstance(body, Sound) and isinstance(model, str) and model.startswith(("gpt-", "tts-1")):
        length = audio_length.seconds(body, str(request.get("response_format") or ""))
        quantities |= {"audio_seconds": length, "output_audio_seconds": length}
    return Usage.of(quantities) if quantities else None


def _of_transcript(body: object, request: _Json, provider: str | None) -> Usage | None:
    """Read a transcription or translation: tokens, seconds, or what the text or the uploaded file lets us know."""
    if (found := _of_tokens(body, request, provider)) is not None:
        return with_input_audio(found)
    if isinstance(body, dict) and has_usage(length := body.get("duration")):
        return _of_audio(length) if provider not in _BILL_WHOLE_SECONDS else _begun(length)
    length = audio_length.uploaded_seconds(request.get("file"))
    if length is None and isinstance(body, str):
        length = audio_length.last_timestamp(body)
    return None if length is None else replace(_of_audio(length), estimated=True)


_BILL_WHOLE_SECONDS: Final = frozenset({"openai", "azure.ai.openai", None})


def _begun(length: object) -> Usage:
    """Return the seconds that have begun: a sound of 8.47 s is billed as 9, in OpenAI's reference of translations."""
    exact = number(length)
    if exact is None or exact == (whole := exact.to_integral_value(ROUND_CEILING, context=EXACT)):
        return _of_audio(length)
    return replace(_of_audio(whole), estimated=True)


def with_input_audio(usage: Usage) -> Usage:
    """Return the usage of a transcription with its seconds as those of input audio, too."""
    quantities = usage.quantities
    if "audio_seconds" not in quantities:
        return usage
    return replace(usage, quantities={**quantities, "input_audio_seconds": quantities["audio_seconds"]})


def _of_audio(length: object) -> Usage:
    return with_input_audio(Usage.of({"audio_seconds": length}))


def _of_images(body: object, _: _Json, provider: str | None) -> Usage | None:
    if not isinstance(body, dict):
        return None
    if body.get("usage") is not None and (found := _unless_hollow(_drawn(body["usage"], provider), body)) is not None:
        return found
    made = body.get("data")
    # An event of a stream has its image in itself.
    return Usage.of({"images": len(made) if isinstance(made, list) else 1}) if made or "b64_json" in body else None


def _drawn(usage: object, provider: str | None = None) -> Usage | None:
    found = read(usage, provider)
    output = found.quantities.get("output_tokens") if found else None
    if found is None or output is None or _dig(usage, "output_tokens_details"):
        return found
    return found + Usage.of({"output_image_tokens": output})  # no details: all of it is image


def _of_video(body: object, _: _Json, __: str | None) -> Usage | None:
    return _counted("video_seconds", _dig(body, "seconds"), body) if _dig(body, "status") == "completed" else None


def _of_job(body: object, request: _Json, provider: str | None) -> Usage | None:
    """Read a batch or a run: its usage grows until it is done, and counts once it is."""
    if not _is_done(body):
        return None
    of = _dig(body, "endpoint")  # of a batch, which may be of what has no output
    has_words = not isinstance(of, str) or of.endswith(("completions", "responses"))
    found = (_of_words if has_words else _of_tokens)(body, request, provider)
    answered = _dig(body, "request_counts", "completed")
    return found + Usage.of({"requests": answered}) if found and answered else found


def _of_training(body: object, _: _Json, __: str | None) -> Usage | None:
    return _counted("training_tokens", _dig(body, "trained_tokens"), body)


def _elsewhere(_body: object, _request: _Json, _provider: str | None) -> None:
    """Return None: what these use is under the models of `read_others`."""


ENDPOINTS: Final[Mapping[str, Callable[[object, _Json, str | None], Usage | None]]] = {
    "chat/completions": _of_chat,
    "completions": _of_words,
    "responses": _of_response,
    "responses/compact": _of_words,
    "decisions": _of_tokens,
    "embeddings": _of_embeddings,
    "audio/speech": _of_speech,
    "audio/transcriptions": _of_transcript,
    "audio/translations": _of_transcript,
    "images/generations": _of_images,
    "images/edits": _of_images,
    "images/variations": _of_images,
    "videos": _of_video,
    "batches": _of_job,
    "threads/runs": _of_job,
    "fine_tuning/jobs": _of_training,
    "fine_tuning/alpha/graders/run": _elsewhere,
    "evals/runs": _elsewhere,
}


def _image_tool(body: _Json, request: _Json) -> Iterator[ModelUsage]:
    body = response_of(body)
    spent = _dig(body, "tool_usage", "image_gen")
    if isinstance(spent, dict) and has_usage(spent) and (usage := _drawn(spent)):
        tools = hosted_tools.asked(body, request)
        models = [_name(tool, "model") for tool in tools if _type(tool) == "image_generation"]
        named = next(filter(None, models), None)
        # Of several models the usage is one: it goes to the first, which may not have drawn all of it.
        is_known = named is not None and len(set(models)) == 1
        yield ModelUsage(named or IMAGE_TOOL_MODEL, usage if is_known else replace(usage, estimated=True))
    for item in hosted_tools.objects(body.get("output")):
        yield from _svg_author(item, {})


def _svg_author(body: _Json, _: _Json) -> Iterator[ModelUsage]:
    """Yield what the model used that wrote an SVG, which is not the one that drew the image."""
    spent = body.get("svg_usage")
    if isinstance(spent, dict) and (usage := read(spent)):
        yield ModelUsage(_name(spent, "model"), _unless_hollow(usage, spent) or NOTHING)


def _evaluated(body: _Json, _: _Json) -> Iterator[ModelUsage]:
    for spent in hosted_tools.objects(body.get("per_model_usage")) if _is_done(body) else ():
        if usage := read(spent):
            asked = spent.get("invocation_count")
            is_unknown = asked != 0 and _unless_hollow(usage, spent) is None
            used = NOTHING if is_unknown else usage + Usage.of({"requests": asked or None})
            yield ModelUsage(_name(spent, "model_name"), used)


def _graded(body: _Json, _: _Json) -> Iterator[ModelUsage]:
    graded = body.get("model_grader_token_usage_per_model")
    for model, spent in graded.items() if isinstance(graded, dict) else ():
        if usage := read(spent):
            yield ModelUsage(str(model), _unless_hollow(usage, spent) or NOTHING)


_OTHERS: Final[Mapping[str, Callable[[_Json, _Json], Iterator[ModelUsage]]]] = {
    "responses": _image_tool,
    "images/generations": _svg_author,
    "images/edits": _svg_author,
    "evals/runs": _evaluated,
    "fine_tuning/alpha/graders/run": _graded,
}

WITH_OTHERS: Final = frozenset(_OTHERS)
"""Endpoints whose answers may say what was used of other models."""


def _counted(unit: str, value: object, body: object) -> Usage | None:
    return None if value is None else _unless_hollow(Usage.of({unit: value}), body)


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _is_done(body: object) -> bool:
    status = _dig(body, "status")
    return status is None or is_over(status, body)


def _type(item: _Json) -> object:
    return item.get("type")


def _name(item: _Json, key: str) -> str | None:
    value = item.get(key)
    return value if isinstance(value, str) else None


def _chosen(value: object, default: str) -> str:
    return value if isinstance(value, str) and value != "auto" else default
