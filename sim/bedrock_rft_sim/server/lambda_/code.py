"""What the zips of functions held, by the hash of the zip; never changed: jobs rely on it.

Sources: AWS Lambda quotas (50 MB zipped when uploaded directly, 250 MB unzipped).
"""

from __future__ import annotations

import base64
import hashlib
import io
import lzma
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.files import make_folder
from bedrock_rft_sim.grader.package import UNZIPPED_BYTES_MAX, open_package
from bedrock_rft_sim.server.errors import AwsError, invalid_parameter

ZIP_MAX: Final = 50 * 1024 * 1024
"""Of a zip inside a request; one from S3 is held to what it may be unzipped."""
ENTRIES_MAX: Final = 20_000
_UNREADABLE: Final = (
    GraderError,
    zipfile.BadZipFile,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)
"""What Python's zipfile and its decompressors raise over a damaged or an encrypted zip."""


class CodeStore:
    """Folders of code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    def path(self, folder: str) -> Path:
        """Return where the code of a configuration's `codeFolder` lies."""
        return self._folder / folder

    def keep_upload(self, content: bytes) -> dict[str, Any]:
        """Keep a zip that came in a request; see `keep`."""
        if len(content) > ZIP_MAX:
            words = f"the zip is larger than {ZIP_MAX:,} bytes; upload it to S3 instead"
            raise AwsError("RequestEntityTooLargeException", words)
        return self.keep(content)

    def keep(self, content: bytes) -> dict[str, Any]:
        """Unpack a zip safely; return what the configuration says about it.

        Raises:
            AwsError: it is no zip, or one that no Lambda would take.
        """
        if len(content) > UNZIPPED_BYTES_MAX:
            words = f"Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
            raise invalid_parameter(words)
        digest = hashlib.sha256(content)
        target = self._folder / digest.hexdigest()
        if not target.is_dir():
            self._unpack(content, target)
        code_sha = base64.b64encode(digest.digest()).decode()
        return {"codeFolder": target.name, "CodeSha256": code_sha, "CodeSize": len(content)}

    def _unpack(self, content: bytes, target: Path) -> None:
        try:
            _refuse_many(content)
            with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
                archive = Path(scratch) / "code.zip"
                archive.write_bytes(content)
                package = open_package(archive, handler="a.b", scratch=Path(scratch))
                _move(package.root, target)
        except _UNREADABLE as error:
            raise invalid_parameter(f"Could not unzip uploaded file: {error}") from None


def _move(root: Path, target: Path) -> None:
    try:
        root.replace(target)
    except OSError:
        if not target.is_dir():  # else another request has just unpacked the same zip
            raise


def _refuse_many(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        count = len(archive.infolist())
    if count == 0 or count > ENTRIES_MAX:
        raise invalid_parameter(f"the zip must hold 1 to {ENTRIES_MAX:,} entries, found {count:,}")
