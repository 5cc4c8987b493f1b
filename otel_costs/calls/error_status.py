"""Which error statuses of an answer cost nothing: those that say that nothing was processed.

A closed list: of any other status nobody knows what it costs. Azure bills what it has processed, "a 400 error due to a
content filter or input limit, or a 408 error due to a timeout" (learn.microsoft.com, Azure OpenAI, manage-costs).
Google bills requests that return a 200 alone (cloud.google.com/vertex-ai/generative-ai/pricing, ai.google.dev).
"""

from typing import Final

_UNPROCESSED: Final = frozenset({400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 414, 415, 422, 429, 431})
_BILLS_SUCCESS_ALONE: Final = frozenset({"gcp.gemini", "gcp.vertex_ai"})
_BILLS_FILTERED: Final = frozenset({"azure.ai.openai", "azure.ai.inference"})
_BY_LIMIT_OR_FILTER: Final = ("filter", "policy", "responsibleai", "length", "too_long", "limit")
"""What the code of Azure's errors has in it where a prompt was processed and not answered."""


def is_free(provider: str, status: int, code: object = None) -> bool:
    """Return whether `provider` bills nothing for an answer with this status.

    `code` is what the answer itself calls its error: `content_filter`; None where it does not say.
    """
    if provider in _BILLS_SUCCESS_ALONE:
        return True
    if status == 400 and provider in _BILLS_FILTERED:
        return not any(word in f"{code}".lower() for word in _BY_LIMIT_OR_FILTER)
    return status in _UNPROCESSED or status < 400
