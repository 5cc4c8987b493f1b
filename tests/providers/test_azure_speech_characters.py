"""The characters that Azure bills, by its own words, and the kinds of its voices."""

import pytest

from otel_costs.providers.azure_speech import characters, voices
from otel_costs.providers.azure_speech.synthesis_input import Document

HEAD = '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'


@pytest.mark.parametrize(
    ("text", "billed"),
    [
        ("", 0),
        ("Hello, world!", 13),
        (" \t\n", 3),
        ("\u00e9", 1),
        ("e\u0301", 2),  # a letter and a combining accent are two code points
        ("👍🏽", 2),
        ("你好", 4),
        ("日本語です", 8),  # three kanji, two kana
        ("한국어 漢字", 8),  # hangul counts once
        ("々〇", 4),
        ("𠀀", 2),
        ("𰀀", 2),
        ("Hi 世界", 7),
    ],
)
def test_text(text: str, billed: int) -> None:
    """Every code point counts once, whatever it looks like, and every Chinese character twice."""
    assert characters.of_text(text) == billed


@pytest.mark.parametrize(
    ("inside", "billed"),
    [
        ("<voice name='en-US-AvaNeural'>Test.</voice>", "Test."),
        ('<voice name="a>b">Test.</voice>', "Test."),
        ("<voice name='x'>Hi <break time='1s'/>there</voice>", "Hi <break time='1s'/>there"),
        ("<voice name='x'><prosody rate='+10%'>Hi</prosody></voice>", "<prosody rate='+10%'>Hi</prosody>"),
        ("<voice name='x'>a</voice>\n <voice name='y'>b</voice>", "a\n b"),
        ("<voice name='x'>1 &lt; 2</voice>", "1 &lt; 2"),
        ("<voices>no tag of ours</voices>", "<voices>no tag of ours</voices>"),
        ("<voice name='x'>漢</voice>", "xx"),
    ],
)
def test_ssml(inside: str, billed: str) -> None:
    """All markup counts but `speak` and `voice`, and what stands outside `speak` does not."""
    assert characters.of_ssml(f"<?xml version='1.0'?>\n{HEAD}{inside}</speak>\n") == len(billed)


@pytest.mark.parametrize(
    "text", ["", "no markup", "<speak>", "</speak>", "<speak>a", "a</speak>", "<voice", "<voice '"]
)
def test_broken_ssml(text: str) -> None:
    """What is no document is counted somehow, without an error: the service will refuse it."""
    assert 0 <= characters.of_ssml(text) <= len(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("opened", ["<voice name='x ", '<voice "', "<voice ", "<speak", "<"])
def test_ssml_takes_linear_time(opened: str) -> None:
    """Two megabytes of tags that are never closed do not take quadratic time, which would be hours."""
    found = Document(HEAD + opened * (2_000_000 // len(opened)))
    assert found.characters > 1_900_000
    assert found.voice == ""
    assert not found.has_several_kinds
    assert len(found.words) > 0


@pytest.mark.parametrize(
    ("voice", "kind"),
    [
        ("en-US-AvaMultilingualNeural", "neural"),
        ("", "neural"),
        ("en-US-Ava:DragonHDLatestNeural", "neural-hd"),
        ("zh-CN-Xiaochen:DragonHDFlashLatestNeural", "neural-hd"),
        ("en-us-Jasper:MAI-Voice-1", "neural-hd"),
        ("en-US-AlloyMultilingualNeural", "openai-neural"),
        ("en-US-AlloyMultilingualNeuralHD", "openai-neural-hd"),
        ("en-US-AlloyTurboMultilingualNeural", "neural"),
    ],
)
def test_kind_of_a_voice(voice: str, kind: str) -> None:
    """The name of a voice says what it costs."""
    assert voices.kind(voice) == kind


def test_kind_of_a_deployed_voice() -> None:
    """A voice behind an endpoint of one's own is a custom one."""
    assert voices.kind("MyVoiceNeural", is_deployed=True) == "custom-neural"


def test_document() -> None:
    """The first voice of a document names the price; that others cost something else is known."""
    one = Document(f"{HEAD}<voice  xml:lang='en' name=\"en-US-AvaNeural\">Fish &amp; <break/>chips</voice></speak>")
    assert (one.voice, one.kind, one.words, one.has_several_kinds) == ("en-US-AvaNeural", None, "Fish & chips", False)
    two = Document(f"{HEAD}<voice name='a'>x</voice><voice name='en-US-Ava:DragonHDLatestNeural'>y</voice></speak>")
    assert two.has_several_kinds
    personal = Document(f"{HEAD}<voice name='DragonLatestNeural'><mstts:ttsembedding speakerProfileId='1'>x")
    assert personal.kind == voices.PERSONAL
