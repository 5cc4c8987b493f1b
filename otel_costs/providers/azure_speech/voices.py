"""Which kind of voice speaks: the kinds have prices of their own, and the service's answers do not name them."""

import re
from typing import Final

NEURAL: Final = "neural"
NEURAL_HD: Final = "neural-hd"
CUSTOM: Final = "custom-neural"
PERSONAL: Final = "personal-voice"
OPENAI: Final = "openai-neural"
OPENAI_HD: Final = "openai-neural-hd"

_VOICE: Final = re.compile(r"""<voice\s[^<>]{0,500}?\bname\s*=\s*(?:"([^"<]{1,200})"|'([^'<]{1,200})')""")
_EMBEDDING: Final = re.compile(r"<mstts:ttsembedding[\s>]")
_OPENAI: Final = re.compile(r"-(alloy|echo|fable|onyx|nova|shimmer)multilingualneural(hd)?$")


def named_in(ssml: str) -> tuple[str, ...]:
    """Return the voices of an SSML document, each once, in their order."""
    return tuple(dict.fromkeys(double or single for double, single in _VOICE.findall(ssml)))


def is_personal(ssml: str) -> bool:
    """Return whether an SSML document speaks with the voice of a speaker's profile."""
    return _EMBEDDING.search(ssml) is not None


def kind(voice: str, *, is_deployed: bool = False) -> str:
    """Return the kind of a voice by its name; `is_deployed` says that an endpoint of one's own speaks.

    The HD voices are named after their models: `en-US-Ava:DragonHDLatestNeural`, `en-us-Jasper:MAI-Voice-1`.
    """
    name = voice.lower()
    if found := _OPENAI.search(name):
        return OPENAI_HD if found[2] else OPENAI
    if is_deployed:
        return CUSTOM
    return NEURAL_HD if ":dragonhd" in name or ":mai-voice" in name else NEURAL
