"""A body that comes compressed, followed where httpx decompresses it; one that is read as it came, for us alone."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self


class Followed(Protocol):
    """What follows the bytes that a compressed body says."""

    running: bool

    def see(self, chunk: bytes) -> None: ...
    def feed(self, chunk: bytes) -> bytes: ...
    def flush(self) -> bytes: ...
    def read_out(self) -> None: ...
    def end(self, error: BaseException | None) -> None: ...


class _Rest(bytes):
    """No bytes, with which the decoder is asked for what was held back."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


class Compressed:
    """The chunks of a compressed body: they pass as they are, and are followed where they are decompressed.

    A decoder that is not asked for the first chunk will not be: the application reads the body as it comes. Then it is
    decompressed here, too, for the record, and nothing of it can be hidden.
    """

    def __init__(self, watch: Followed, spare: Any) -> None:
        self._watch, self._spare = watch, spare
        self._passed: bytes | None = None
        self._is_decoded = self._is_raw = False

    @classmethod
    def of(cls, response: Any, watch: Followed) -> Self:
        """Return that of a response, and follow its decoder, unless that passes all: it does not know the encoding."""
        make = response._get_content_decoder  # it keeps what it makes
        decoder = make()
        if type(decoder).__name__ == "IdentityDecoder":
            return cls(watch, decoder)
        del response._decoder
        spare = make()
        found = cls(watch, spare)
        response._decoder = _Decoder(decoder, found, watch, gives_bytes=isinstance(spare.decode(b""), bytes))
        return found

    def feed(self, chunk: bytes) -> bytes:
        """Return the next chunk as it came."""
        self.settle()
        self._passed = chunk
        return chunk

    def settle(self) -> None:
        """Read the last chunk, if it was not decoded for the application."""
        passed, self._passed = self._passed, None
        if passed and not self._is_decoded:
            self._is_raw = True
            self._see(self._spare.decode, passed)

    def is_followed(self) -> bool:
        """Return, where the decoder is asked, whether what it gives is to be followed: it was not seen as it passed."""
        self._is_decoded = not self._is_raw
        return self._is_decoded

    def flush_on_error(self) -> bytes:
        """Return what makes the application get what was held back, before an error."""
        self.settle()
        return _Rest() if self._is_decoded else b""

    def flush(self) -> bytes:
        """Return no more bytes, at the end of the body."""
        self.settle()
        if self._is_raw:
            self._see(self._spare.flush)
        return b""

    def read_out(self) -> None:
        """End the watch; not where the decoder will: it is asked for its last bytes when the body has been closed."""
        self._watch.running = self._is_decoded
        if not self._is_decoded:
            self._watch.read_out()

    def _see(self, decode: Callable[..., Any], *data: bytes) -> None:
        try:
            for piece in _pieces(decode(*data)):
                self._watch.see(piece)
        except Exception as error:  # noqa: BLE001  # of the decoder's, about bytes that the application takes as they are
            self._watch.end(error)


class _Decoder:
    """A decoder of httpx, whose methods return bytes, or of httpx2, where they return iterators, followed."""

    def __init__(self, decoder: Any, body: Compressed, watch: Followed, *, gives_bytes: bool) -> None:
        self._decoder, self._body, self._watch, self._gives_bytes = decoder, body, watch, gives_bytes

    def decode(self, data: bytes) -> Any:
        """Return what the application gets of a chunk."""
        if not self._body.is_followed():
            return self._decoder.decode(data)
        return self._as_it_does(self._rest() if isinstance(data, _Rest) else self._visible(self._decoder.decode, data))

    def flush(self) -> Any:
        """Return what it gets at the end."""
        return self._as_it_does(self._last()) if self._body.is_followed() else self._decoder.flush()

    def _as_it_does(self, pieces: Iterator[bytes]) -> Any:
        return b"".join(pieces) if self._gives_bytes else pieces

    def _visible(self, decode: Callable[..., Any], *data: bytes) -> Iterator[bytes]:
        try:
            for piece in _pieces(decode(*data)):
                if visible := self._watch.feed(piece):
                    yield visible
        except Exception as error:
            yield from self._rest()
            self._watch.end(error)
            raise

    def _rest(self) -> Iterator[bytes]:
        if rest := self._watch.flush():
            yield rest

    def _last(self) -> Iterator[bytes]:
        yield from self._visible(self._decoder.flush)
        yield from self._rest()
        self._watch.read_out()


def _pieces(decoded: Any) -> Iterator[bytes]:
    return filter(None, (decoded,) if isinstance(decoded, bytes) else decoded)
