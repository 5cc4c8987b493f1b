"""The folder of backups: files that are named by their checksums, shared by backups, and a manifest for each of those.

    backups/20261128T201500Z-1a2b.json   a manifest, written last
    files/1a/1a2b....native.zst          the rows of a part: blocks in ClickHouse's format Native, each compressed alone
    erasures.jsonl                       who was erased since, as hashes
    tmp/                                 what is being written

Any tool reads the files: `zstd -dc FILE | clickhouse local --input-format Native ...`.
"""

import fcntl
import importlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from otel_costs.store import private
from otel_costs.store.backups import manifest, tables
from otel_costs.store.backups.manifest import Manifest, ManifestError, StoredPart
from otel_costs.store.connection import StoreError

# compression.zstd of Python 3.14, and its backport, which clickhouse-connect brings.
_zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

_LEVEL: Final = 3
_OURS: Final = {"backups", "files", "tmp", "lock", "erasures.jsonl"}


class DamagedError(StoreError):
    """A file of a backup is gone, or is not what was written."""


class Folder:
    """A folder of backups. Only its owner can read what is in it. Raises StoreError when it is none, or not usable."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        self._is_ours = False
        try:
            if make:
                self._make()
            elif not (path / "backups").is_dir():
                raise StoreError(
                    f"{path} is no folder of backups: give the one that `otel-costs backup --to` was given"
                )
        except OSError as error:
            raise StoreError(f"the folder {path} cannot be used: {error.strerror}") from None

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if strange := {one.name for one in self.path.iterdir()} - _OURS:
            raise StoreError(f"{self.path} has other things in it ({min(strange)}): give a folder for backups alone")
        for name in ("files", "tmp", "backups"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        private.make_private(self.path)

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Keep others from writing here, or, `shared`, from taking away. Raises StoreError when another does that.

        A caller that has kept all others out already goes on.
        """
        if self._is_ours:
            yield
            return
        with _opened(self.path / "lock") as descriptor:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"another backup or restore uses {self.path}: wait until it has ended") from None
            if not shared:
                shutil.rmtree(self.path / "tmp", ignore_errors=True)
                (self.path / "tmp").mkdir(mode=0o700, exist_ok=True)
            self._is_ours = not shared
            try:
                yield
            finally:
                self._is_ours = False

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Keep others from writing here and from restoring: two would put rows into the same database beside a store.

        Raises StoreError when another does either. A folder may be read alone: what is locked is the one of manifests.
        """
        descriptor = os.open(self.path / "backups", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self.locked(shared=True):
                yield
        except BlockingIOError:
            raise StoreError(f"another restore reads {self.path}: wait until it has ended") from None
        finally:
            os.close(descriptor)

    def manifests(self) -> tuple[list[Manifest], dict[str, str]]:
        """Return the backups, the oldest first, and by name what cannot be used and why."""
        found, bad = [], {}
        for path in sorted((self.path / "backups").glob("*.json")):
            try:
                found.append(manifest.parsed(path.read_bytes(), path.stem))
            except ManifestError as error:
                bad[path.stem] = str(error)
            except OSError as error:
                bad[path.stem] = f"cannot be read: {error.strerror}"
        return sorted(found, key=lambda one: (one.created_at, one.id)), bad

    def manifest(self, name: str | None) -> Manifest:
        """Return a backup, the newest if none is named. Raises StoreError."""
        found, bad = self.manifests()
        if name in bad or (name is None and bad and max(bad) > max((one.id for one in found), default="")):
            named = name or max(bad)
            raise DamagedError(
                f"the backup {named} {bad[named]}; `otel-costs backup --to {self.path} --list` has others"
            )
        chosen = [one for one in found if name in (None, one.id)]
        if not chosen:
            what = f"no backup {name!r}" if name else "no backup"
            raise StoreError(f"there is {what} in {self.path}: `otel-costs backup --to {self.path} --list` lists them")
        return chosen[-1]

    def write_part(self, key: str, rows: int, blocks: Iterable[bytes]) -> StoredPart:
        """Write the blocks of a part into a file, on the disk when this returns."""
        draft = self.path / "tmp" / key
        checksum, sizes = sha256(), []
        with _created(draft) as file:
            for block in blocks:
                compressed = _zstd.compress(block, _LEVEL)
                checksum.update(compressed)
                sizes.append(len(compressed))
                _write(file, compressed)
            os.fsync(file)
        name = checksum.hexdigest()
        target = self._file(name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        draft.replace(target)
        _sync(target.parent)
        return StoredPart(key, rows, name, tuple(sizes))

    def write_manifest(self, made: Manifest) -> None:
        """Write the manifest of a backup whose files are all there: from then on it is one."""
        _sync(self.path / "files")
        replace_file(self.path / "tmp", self.path / "backups" / f"{made.id}.json", manifest.written(made))

    def blocks(self, part: StoredPart) -> Iterator[bytes]:
        """Yield the blocks of a part. Raises DamagedError before the first where one is not what was written."""
        if why := self.damage(part):
            raise DamagedError(f"{self._file(part.file)} {why}")
        with self._file(part.file).open("rb") as file:
            for size in part.blocks:
                yield self._block(part, file.read(size))

    def _block(self, part: StoredPart, content: bytes) -> bytes:
        """Decompress a block. Raises DamagedError for what is none, or becomes more than a block can be."""
        reader = _zstd.ZstdDecompressor()
        with suppress(_zstd.ZstdError):
            block = bytes(reader.decompress(content, tables.MOST_BLOCK_BYTES))
            if reader.eof and not reader.unused_data:
                return block
        raise DamagedError(f"{self._file(part.file)} has a block that is none, or has more in it than one can have")

    def damage(self, part: StoredPart) -> str:
        """Return what is wrong with the file of a part, or ""."""
        checksum = sha256()
        try:
            with self._file(part.file).open("rb") as file:
                while chunk := file.read(1 << 20):
                    checksum.update(chunk)
        except FileNotFoundError:
            return "is not there"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return "" if checksum.hexdigest() == part.file else "is damaged: its checksum is another one"

    def has(self, part: StoredPart) -> bool:
        """Return whether the file of a part is there, and as long as it was."""
        with suppress(OSError):
            return self._file(part.file).stat().st_size == part.size
        return False

    def keep(self, number: int) -> list[str]:
        """Delete all but the newest `number` backups, and the files that no other needs; return the deleted ones.

        Raises StoreError while another writes here or reads what may go: its files are in no manifest yet.
        """
        with self.locked():
            found, bad = self.manifests()
            gone = [one.id for one in found[:-number]]
            for name in gone:
                (self.path / "backups" / f"{name}.json").unlink(missing_ok=True)
            _sync(self.path / "backups")
            if not bad:  # what cannot be read may need any file: then none goes
                self._delete_all_but(
                    {part.file for one in found[-number:] for table in one.tables for part in table.parts}
                )
        return gone

    def _delete_all_but(self, needed: set[str]) -> None:
        for path in (self.path / "files").glob("*/*.native.zst"):
            if path.name.partition(".")[0] not in needed:
                path.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.path / "files" / name[:2] / f"{name}.native.zst"


def replace_file(drafts: Path, target: Path, content: bytes) -> None:
    """Put a file in its place as a whole, on the disk when this returns."""
    draft = drafts / target.name
    with _created(draft) as file:
        _write(file, content)
        os.fsync(file)
    draft.replace(target)
    _sync(target.parent)


@contextmanager
def _created(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # where nothing may be written, nothing is taken away
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
