"""A customer's voice note, understood and answered aloud. It names the session itself: two lines with otel_costs.

Requests with sound have no field of OpenAI's for who is speaking.

python examples/support_assistant/voice_note.py
"""

import io
import os
from typing import Final

from openai import OpenAI

import otel_costs

MODEL: Final = os.environ.get("SUPPORT_MODEL", "gpt-5.4-mini")
HEARS: Final = os.environ.get("SUPPORT_MODEL_HEARS", "gpt-4o-mini-transcribe")
SPEAKS: Final = os.environ.get("SUPPORT_MODEL_SPEAKS", "gpt-4o-mini-tts")

INSTRUCTIONS: Final = "You are the support assistant of Fernhill Outfitters. Two short sentences: they are read aloud."
NOTE: Final = "Good morning, I would like to know where my order A-1001 is."


def main() -> None:
    """Understand a note and answer it."""
    client = OpenAI()
    note = record(client)
    with otel_costs.session("voice-note-7", user="alan", scenario="voice"):
        heard = client.audio.transcriptions.create(model=HEARS, file=("note.mp3", note))
        completion = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": heard.text}],
            reasoning_effort="none",
        )
        answer = completion.choices[0].message.content or ""
        spoken = client.audio.speech.create(model=SPEAKS, voice="alloy", input=answer)
    print(f"heard: {heard.text}\nsaid, in {len(spoken.content):,} bytes: {answer}")


def record(client: OpenAI) -> io.BytesIO:
    """Return the customer's note as an mp3. There is no microphone here: a model speaks it, outside of the session."""
    return io.BytesIO(client.audio.speech.create(model=SPEAKS, voice="echo", input=NOTE).content)


if __name__ == "__main__":
    main()
