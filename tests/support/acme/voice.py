"""Acme's dictation on a WebSocket: it sends sound, and gets what was said."""

import json

from websockets.sync.client import connect


def dictate(url: str, sounds: list[bytes]) -> list[str]:
    """Return what was heard in `sounds`."""
    found = []
    with connect(f"{url}/v1/listen?model=acme-ears") as socket:
        for sound in sounds:
            socket.send(sound)
        socket.send(json.dumps({"type": "end"}))
        for frame in socket:
            event = json.loads(frame)
            if event["type"] == "heard":
                found.append(event["text"])
    return found
