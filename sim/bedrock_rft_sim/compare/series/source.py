"""The bytes of a source, wherever they lie: a file, or a member of an archive.

Nothing is unpacked to disk, and no archive is read further than a limit. It knows no format.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Final

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors, regular

MAX_BYTES: Final = 256 * 1024**2
"""Largest file read, and largest archive once unpacked: 500 steps take about 1 MB."""
GZIP: Final = b"\x1f\x8b"
CHUNK = 1024**2


def read_bytes(path: Path) -> bytes:
    """Return what the file holds.

    Raises:
        DataError: it is not there, can't be read, or is larger than `MAX_BYTES`.
    """
    with (
        named_errors(path, "read the file", kind=DataError, hint="check the path"),
        regular(path) as file,
    ):
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    return content


def text_of(content: bytes, *, where: str) -> str:
    """Return the bytes as text, without a byte order mark.

    Raises:
        DataError: they are no UTF-8, or there are none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            "is no text file",
            where=f"{where}:{line}",
            expected="UTF-8",
            found=f"byte 0x{content[error.start]:02x}",
            hint="check whether the file is what you meant",
        ) from error
    if not text.strip():
        raise DataError(
            "is empty",
            where=where,
            expected="metric values",
            found="no text",
            hint="write or download it again",
        )
    return text


def member(content: bytes, name: str, *, where: str) -> tuple[str, bytes]:
    """Return the path and the bytes of the archive's regular file of this name.

    Raises:
        DataError: the archive is damaged, too large, or holds no such file.
    """
    limited = _Limited(gzip.GzipFile(fileobj=io.BytesIO(content)), where)
    seen = []
    try:
        with tarfile.open(fileobj=limited, mode="r|") as archive:  # type: ignore[call-overload]
            for entry in archive:
                seen.append(entry.name)
                is_plain = entry.isreg() and not entry.issparse()  # holes cost nothing to claim
                if is_plain and PurePosixPath(entry.name).name == name:
                    file: IO[bytes] | None = archive.extractfile(entry)
                    assert file is not None
                    return entry.name, file.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "the archive is damaged or cut short",
            where=where,
            expected="a .tar.gz",
            found=str(error) or type(error).__name__,
            hint="download it again",
        ) from error
    raise DataError(
        f"the archive holds no {name}",
        where=where,
        expected=name,
        found=", ".join(seen[:5]) or "nothing",
        hint="check whether it is the output.tar.gz of the training job",
    )


class _Limited:
    """A stream that refuses to unpack more than `MAX_BYTES`."""

    def __init__(self, stream: gzip.GzipFile, where: str) -> None:
        self._stream = stream
        self._where = where
        self._left = MAX_BYTES

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._stream.read(min(size, CHUNK))):
            self._left -= len(part)
            if self._left < 0:
                raise _too_large(Path(self._where))
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _too_large(path: Path) -> DataError:
    return DataError(
        "is too large to be metrics",
        where=str(path),
        expected=f"at most {MAX_BYTES // 1024**2} MB, unpacked",
        found="more",
        hint="unpack the archive, or cut the file, and give the part that holds the metrics",
    )
