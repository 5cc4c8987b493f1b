"""Which error statuses of an answer cost nothing, and which may be billed.

A client that gave up waiting does not know what was done meanwhile: a timeout may be billed in full. Azure bills what
it has processed, "a 400 error due to a content filter or input limit, or a 408 error due to a timeout", and nothing of
a 401 or a 429 (learn.microsoft.com, Azure OpenAI, manage-costs): of its other errors the status alone does not tell.
Google bills requests that return a 200 alone (cloud.google.com/vertex-ai/generative-ai/pricing, ai.google.dev). Others
bill no answer that they failed to give.
"""

from typing import Final

_TIMEOUTS: Final = frozenset({408, 499, 504, 524})
_UNPROCESSED: Final = frozenset({400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 414, 415, 422, 429, 431})
_BILLS_SUCCESS_ALONE: Final = frozenset({"gcp.gemini", "gcp.vertex_ai"})
_BILLS_PROCESSED: Final = frozenset({"azure.ai.openai", "azure.ai.inference"})
_BY_LIMIT_OR_FILTER: Final = ("filter", "policy", "responsibleai", "length", "too_long", "limit")
"""What the code of Azure's errors has in it where a prompt was processed and not answered."""


def is_free(provider: str, status: int, code: object = None) -> bool:
    """Return whether `provider` bills nothing for an answer with this status.

    `code` is what the answer itself calls its error: `content_filter`; None where it does not say.
    """
    if provider in _BILLS_SUCCESS_ALONE:
        return True
    if provider not in _BILLS_PROCESSED:
        return status not in _TIMEOUTS
    if status == 400:
        return not any(word in f"{code}".lower() for word in _BY_LIMIT_OR_FILTER)
    return status in _UNPROCESSED
