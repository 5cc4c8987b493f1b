"""Scenario files: what is read, and what is complained about, with file, line and field."""

from pathlib import Path

import pytest

from otel_costs.pricing import PriceFileError
from otel_costs.scenarios.library import predefined
from otel_costs.scenarios.scenario_file import load
from otel_costs.scenarios.steps import Message, Speech, Talk, Transcription
from tests.cli.support import run

WHOLE = """\
name: hotline
description: A call.
user: trainee-1
tags: {team: west, level: 2}
model: gpt-4o
steps:
  - step: write
    phase: creation
    chat:
      system: Write $${x} as it is.
      history:
        - user: Hello
        - assistant: Hi
      user: [One, Two]
  - step: voice
    model: tts-1
    speech: {text: "Say: ${write}"}
  - step: hear
    model: whisper-1
    transcription: {speech: voice}
    parameters: {language: en}
  - step: go_on
    model: gpt-4o-mini
    responses: {continues: write, user: "${hear}"}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "hotline.yaml"
    file.write_text(text)
    return file


def test_a_whole_file(tmp_path: Path) -> None:
    """Everything that a file may say is read: a file's model is for words, a step's own goes before it."""
    found = load(write(tmp_path, WHOLE))
    assert (found.name, found.user, found.tags) == ("hotline", "trainee-1", {"team": "west", "level": "2"})
    first, voice, hear, last = found.steps
    history = (Message("user", "Hello"), Message("assistant", "Hi"))
    assert first.call == Talk("chat", "Write $${x} as it is.", history, ("One", "Two"), None)
    assert (first.phase, first.model, first.requests) == ("creation", "gpt-4o", 2)
    assert (voice.model, voice.call) == ("tts-1", Speech("Say: ${write}", "alloy"))
    assert (hear.call, hear.parameters) == (Transcription(speech="voice"), {"language": "en"})
    assert (last.model, last.call) == ("gpt-4o-mini", Talk("responses", None, (), ("${hear}",), "write"))


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "problem"),
    [
        ("name: hotline", "name: hot line", 1, "name", "letters, digits"),
        ("name: hotline\n", "", 1, "name", "is missing"),
        ("level: 2", "level: [2]", 4, "tags", "must have a text for level"),
        ("level: 2", "user: 2", 4, "tags", "must not have user"),
        ("model: gpt-4o\nsteps", "steps", 6, "steps[0].model", "give one to the step, or to the file"),
        ("    model: tts-1\n", "", 15, "steps[1].model", "such as gpt-4o-mini-tts"),
        ("    model: whisper-1\n", "", 18, "steps[2].model", "such as gpt-4o-mini-transcribe"),
        ("- step: hear", "- step: voice", 18, "steps[2].step", "as another step is"),
        ("phase: creation", "phse: creation", 8, "steps[0].phse", "did you mean phase?"),
        ("    chat:", "    chats:", 9, "steps[0].chats", "did you mean chat?"),
        ('speech: {text: "Say: ${write}"}', "phase: x", 15, "steps[1]", "has no call: give one of chat"),
        ("    speech: {", "    chat: {user: x}\n    speech: {", 15, "steps[1]", "is chat and speech in one"),
        ("user: [One, Two]", "user: []", 14, "steps[0].chat.user", "what the user says"),
        ("[One, Two]", "[One, '']", 14, "steps[0].chat.user", "must be a text that is not empty"),
        ("- assistant: Hi", "- system: Hi", 13, "steps[0].chat.history[1].system", "known are"),
        ("- user: Hello\n", "- {}\n", 12, "steps[0].chat.history[0]", "must be one message"),
        ("Say: ${write}", "Say: ${hear}", 17, "steps[1].speech.text", "no earlier step with words; there are write"),
        ("One, Two", "One, '${write}'", 14, "steps[0].chat.user", "there is none"),
        ("{speech: voice}", "{speech: write}", 20, "steps[2].transcription.speech", "no earlier step of speech"),
        ("{speech: voice}", "{}", 20, "steps[2].transcription", "give one of file, seconds, speech"),
        ("{speech: voice}", "{seconds: 0}", 20, "steps[2].transcription.seconds", "from 1"),
        ("{speech: voice}", "{seconds: 601}", 20, "steps[2].transcription.seconds", "the most is 600"),
        ("{speech: voice}", "{file: a.wav}", 20, "steps[2].transcription.file", "no such file beside the scenario"),
        ("{language: en}", "{model: x}", 21, "steps[2].parameters", "must not have model"),
        ("{language: en}", "[en]", 21, "steps[2].parameters", "must be a mapping"),
        ("continues: write", "continues: hear", 24, "steps[3].responses.continues", "no earlier conversation"),
        ("continues: write", "continues: write, system: x", 24, "steps[3].responses.system", "been said already"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    old: str, new: str, line: int, field: str, problem: str, tmp_path: Path
) -> None:
    """File, line, field, and what is wrong with it; nothing is guessed."""
    assert WHOLE.count(old) == 1
    file = write(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(PriceFileError) as told:
        load(file)
    assert (told.value.file, told.value.line, told.value.field) == (str(file), line, field)
    assert problem in told.value.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: is empty: a scenario has a name and steps"),
        ("name: a\nsteps: [", "is not YAML"),
        ("name: a\nsteps: []", "line 2: steps: must be a list with at least one entry"),
        ("- a", "line 1: must be a mapping of"),
        ("name: a\nsteps: " + "[" * 3000, "is nested too deeply to be a scenario"),
    ],
)
def test_what_is_no_scenario(text: str, said: str, tmp_path: Path) -> None:
    """The command says where and why, with exit code 2 and nothing on standard output."""
    file = write(tmp_path, text)
    ran = run("scenario", "run", str(file), "--dry-run")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert f"Error: {file}" in ran.stderr
    assert said in ran.stderr


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or is no text, is told by its name; of a name, the nearest scenario."""
    gone = run("scenario", "run", str(tmp_path / "gone.yaml"))
    assert (gone.exit_code, gone.stderr) == (
        2,
        f"Error: {tmp_path / 'gone.yaml'}: cannot be read: No such file or directory\n",
    )
    (tmp_path / "sound.yaml").write_bytes(b"\xff\xfb")
    assert "it is no text in UTF-8" in run("scenario", "run", str(tmp_path / "sound.yaml")).stderr
    wrong = run("scenario", "run", "suport-chat")
    assert wrong.exit_code == 2
    assert "no scenario 'suport-chat'; did you mean support-chat?" in wrong.stderr


@pytest.mark.parametrize("name", predefined())
def test_a_predefined_scenario_is_named_as_its_file(name: str) -> None:
    """What `list` shows is what `run` takes, and every one says what it is for."""
    found = load(predefined()[name])
    assert found.name == name
    assert found.description
