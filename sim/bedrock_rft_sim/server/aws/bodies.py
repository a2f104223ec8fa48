"""Bodies of large S3 objects: files that stand in for the bytes moto would hold in memory.

moto takes a `StoredBody` for a body, keeps it with its key and gives it back, whole or as a range;
its classes are told how by `teach_moto`. A file is removed once nobody holds a body of it.
Known gap: moto selects (SelectObjectContent) from no compressed object that is this large.
Sources: moto 5.2 (`moto.s3.models`); Amazon S3 API reference, "Signature calculations: transferring
payload in multiple chunks" and trailing checksums.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

LARGE: Final = 1024 * 1024
"""Bytes from which on a body is a file."""
_PIECE: Final = 1024 * 1024
_LINE_MAX: Final = 8192
_LIBRARIES: Final = {"CRC32C": "crc32c", "CRC64NVME": "awscrt"}


class _File:
    """A file that ends with the last reference to it."""

    def __init__(self, folder: Path, pieces: Iterable[bytes]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            self.path = Path(file.name)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            for piece in pieces:
                file.write(piece)
            self.size = file.tell()


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A part of a file, read piece by piece; like bytes it has a length and can be sliced."""

    file: _File
    start: int
    size: int

    @classmethod
    def of(cls, folder: Path, pieces: Iterable[bytes]) -> StoredBody:
        """Write a file of these pieces.

        Raises:
            OSError: the disk refuses.
        """
        file = _File(folder, pieces)
        return cls(file, 0, file.size)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        with self.file.path.open("rb") as file:
            file.seek(self.start)
            left = self.size
            while piece := file.read(min(_PIECE, left)):
                left -= len(piece)
                yield piece

    def __getitem__(self, part: slice) -> StoredBody:
        start, end, _ = part.indices(self.size)
        return StoredBody(self.file, self.start + start, max(0, end - start))

    def __bytes__(self) -> bytes:
        return b"".join(self)

    def decode(self, encoding: str) -> str:
        """Return the text, as a selection from it needs."""
        return bytes(self).decode(encoding)


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file from its beginning."""
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


def unchunked(file: IO[bytes], trailer: dict[str, str]) -> Iterator[bytes]:
    """Yield what aws-chunked chunks hold, signed or not; headers after the last go to `trailer`.

    Raises:
        ValueError: the chunks are damaged.
    """
    file.seek(0)
    while left := _size_of_chunk(file.readline(_LINE_MAX)):
        while left:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise ValueError("the body ends within a chunk")
            left -= len(piece)
            yield piece
        file.readline(_LINE_MAX)
    while line := file.readline(_LINE_MAX).decode("latin-1").strip():
        name, _, value = line.partition(":")
        trailer[name.strip().lower()] = value.strip()


def _size_of_chunk(line: bytes) -> int:
    size = int(line.split(b";")[0], 16)
    if size < 0:
        raise ValueError("a chunk of negative size")
    return size


@functools.cache
def teach_moto() -> None:
    """Let moto's S3 keep a `StoredBody` wherever it keeps bytes."""
    models: Any = import_module("moto.s3.models")
    responses: Any = import_module("moto.s3.responses")
    checksum = functools.partial(_checksum, models.compute_checksum)
    models.compute_checksum = responses.compute_checksum = checksum
    models.FakeKey = _stored_key(models.FakeKey)
    models.FakeMultipart = _stored_parts(models.FakeMultipart)


def _stored_key(plain: Any) -> Any:
    class StoredKey(plain):
        body: StoredBody | None = None
        _etag: str | None

        @property
        def value(self) -> bytes | StoredBody:
            return plain.value.fget(self) if self.body is None else self.body

        @value.setter
        def value(self, value: bytes | StoredBody) -> None:
            self.body = value if isinstance(value, StoredBody) else None
            plain.value.fset(self, b"" if self.body else value)
            if self.body:
                self.contentsize = len(self.body)
                self._etag = self._etag or _digest("md5", self.body).hex()

        def dispose(self, garbage: bool = False) -> None:
            self.body = None
            super().dispose(garbage)

    return StoredKey


@dataclass(frozen=True)
class _Uploaded:
    """What moto looks at to put parts in order: all but their contents."""

    etag: str
    contentsize: int
    value: bytes = b""


def _stored_parts(plain: Any) -> Any:
    class StoredParts(plain):
        parts: dict[int, Any]

        def complete(self, body: Iterable[tuple[int, str]]) -> tuple[Any, str, Any]:
            parts, wanted = self.parts, list(body)
            chosen = [parts[number] for number, _ in wanted if number in parts]
            if not any(part.body for part in chosen):
                return super().complete(iter(wanted))
            self.parts = {n: _Uploaded(p.etag, p.contentsize) for n, p in parts.items()}
            try:
                _, etag, (kind, _, count) = super().complete(iter(wanted))
            finally:
                self.parts = parts
            whole = _joined(chosen)
            name = self.metadata.get("x-amz-checksum-algorithm") or "CRC64NVME"
            return whole, etag, (kind, _over_all(whole, chosen, name, kind), count)

    return StoredParts


def _joined(parts: list[Any]) -> StoredBody:
    """Return one body of all parts, which from now on are ranges of it."""
    folder = next(part.body.file.path.parent for part in parts if part.body)
    values = [part.body or [part.value] for part in parts]
    whole = StoredBody.of(folder, (piece for value in values for piece in value))
    start = 0
    for part in parts:
        end = start + part.contentsize
        part.value = whole[start:end]
        start = end
    return whole


def _over_all(whole: StoredBody, parts: list[Any], name: str, kind: str) -> str:
    compute_checksum = import_module("moto.s3.models").compute_checksum
    if kind != "COMPOSITE":
        return str(compute_checksum(whole, name), "ascii")
    each = (compute_checksum(part.value, name, encode_base64=False) for part in parts)
    return str(compute_checksum(b"".join(each), name), "ascii")


def _checksum(
    plain: Callable[..., bytes],
    body: bytes | StoredBody,
    algorithm: str,
    encode_base64: bool = True,
) -> bytes:
    if not isinstance(body, StoredBody):
        return plain(body, algorithm, encode_base64)
    if algorithm.startswith("CRC") and find_spec(_LIBRARIES.get(algorithm, "-")):
        return plain(bytes(body), algorithm, encode_base64)
    found = _crc32(body) if algorithm.startswith("CRC") else _digest(algorithm.lower(), body)
    return base64.b64encode(found) if encode_base64 else found


def _crc32(body: StoredBody) -> bytes:
    return functools.reduce(lambda crc, piece: binascii.crc32(piece, crc), body, 0).to_bytes(4)


def _digest(name: str, body: StoredBody) -> bytes:
    digest = hashlib.new(name, usedforsecurity=False)
    for piece in body:
        digest.update(piece)
    return digest.digest()
