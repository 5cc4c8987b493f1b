"""A stand-in for Amazon Transcribe's streams: event streams over HTTP/2 and TLS, as the vendor's own client speaks."""

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import trustme
from amazon_transcribe.eventstream import EventStreamBuffer, EventStreamMessageSerializer

PCM_SECOND = 32_000
"""Bytes of a second at 16 kHz."""


class AwsStreams:
    """Hears a sound to its end, and answers with its length; `ca_pem` is whom a client must trust."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.ca_pem: bytes = authority.cert_pem.bytes()
        self.headers: list[Mapping[str, str]] = []
        self.refuses: str | None = None
        """The code of an error instead of a stream."""
        self.breaks: str | None = None
        """The type of an exception at the end of the stream."""
        self.cuts = False
        """Whether the connection is cut after the first result."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._tls)
        self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(accepted, server_side=True) as connection:
                _Exchange(self, connection).run()
        except OSError:
            pass  # the client went away


class _Exchange:
    def __init__(self, service: AwsStreams, connection: ssl.SSLSocket) -> None:
        self._service, self._socket = service, connection
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._buffer: Any = _buffer()
        self._heard = 0

    def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        while data := self._socket.recv(65536):
            for event in self._h2.receive_data(data):
                if self._take(event):
                    return
            self._flush()

    def _take(self, event: Any) -> bool:
        """Read an event of HTTP/2, and return whether the connection is cut now."""
        service = self._service
        if isinstance(event, h2.events.RequestReceived):
            service.headers.append(dict(event.headers))  # type: ignore[arg-type, unused-ignore]
            self._begin(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._buffer.add_data(event.data)
            for message in self._buffer:
                if not message.payload:
                    return self._end(event.stream_id)
                self._heard += len(_payload(message.payload))
                if self._heard == PCM_SECOND // 2:
                    self._say(event.stream_id, "sword", partial=True)
        return False

    def _begin(self, stream_id: int) -> None:
        if (code := self._service.refuses) is not None:
            self._h2.send_headers(stream_id, [(":status", "400"), ("x-amzn-errortype", code)])
            self._h2.send_data(stream_id, b'{"Message": "no"}', end_stream=True)
            return
        headers = [(":status", "200"), ("x-amzn-transcribe-session-id", "s-77"), ("x-amzn-request-id", "r-1")]
        self._h2.send_headers(stream_id, headers)

    def _end(self, stream_id: int) -> bool:
        self._say(stream_id, "swordfish", partial=False)
        if self._service.cuts:
            self._flush()
            return True
        if (kind := self._service.breaks) is not None:
            headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
            self._send(stream_id, headers, {"Message": "no"})
        self._h2.end_stream(stream_id)
        return False

    def _say(self, stream_id: int, said: str, *, partial: bool) -> None:
        result = {
            "ResultId": "1",
            "StartTime": 0.0,
            "EndTime": self._heard / PCM_SECOND,
            "IsPartial": partial,
            "Alternatives": [{"Transcript": said, "Items": []}],
        }
        headers = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}
        self._send(stream_id, headers, {"Transcript": {"Results": [result]}})

    def _send(self, stream_id: int, headers: Any, body: object) -> None:
        self._h2.send_data(stream_id, EventStreamMessageSerializer().serialize(headers, json.dumps(body).encode()))

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._socket.sendall(data)


def _payload(signed: Any) -> bytes:
    """Return the sound in an event that is signed as a whole."""
    buffer = _buffer()
    buffer.add_data(bytes(signed))
    (event,) = buffer
    return bytes(event.payload)


def _buffer() -> Any:
    return EventStreamBuffer()  # type: ignore[no-untyped-call]
