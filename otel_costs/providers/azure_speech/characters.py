"""How many characters a text or an SSML document is billed as.

"Every code point defined in Unicode", all markup but `<speak>` and `<voice>` tags, and "each Chinese character is
counted as two characters, including kanji used in Japanese, hanja used in Korean, or hanzi used in other languages":
https://learn.microsoft.com/azure/ai-services/speech-service/text-to-speech#billable-characters, read 2026-11-22.
"""

import re
from typing import Final

# No attribute has a `<` in it, so that a tag that is never closed is given up at the next one, not at the end.
_ATTRIBUTES: Final = r"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*+"""
_FREE_TAG: Final = re.compile(rf"</?(?:speak|voice)(?=[\s/>]){_ATTRIBUTES}>")
_SPEAK: Final = re.compile(r"<speak[\s>]")
_HAN: Final = re.compile(
    "[\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufa6d\ufa70-\ufad9\U00020000-\U0002fa1f\U00030000-\U000323af]"
)


def of_text(text: str) -> int:
    """Return the characters that plain text is billed as."""
    return len(text) + len(_HAN.findall(text))


def of_ssml(ssml: str) -> int:
    """Return the characters that an SSML document is billed as: what stands in `<speak>`, without its voices' tags."""
    begin = _SPEAK.search(ssml)
    end = ssml.rfind("</speak>")
    inside = ssml[begin.start() if begin else 0 : end if end > 0 else len(ssml)]
    return of_text(_FREE_TAG.sub("", inside))
