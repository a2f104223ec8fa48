"""What the zips of functions held, by the hash of the zip; never changed: jobs rely on it.

Sources: AWS Lambda quotas (50 MB zipped when uploaded directly, 250 MB unzipped).
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.files import make_folder
from bedrock_rft_sim.grader.package import DAMAGED, UNZIPPED_BYTES_MAX, unpack
from bedrock_rft_sim.server.aws.local_s3 import LocalS3, S3Error
from bedrock_rft_sim.server.errors import AwsError, invalid_parameter

ZIP_MAX: Final = 50 * 1024 * 1024
"""Of a zip inside a request; one from S3 is held to what it may be unzipped."""
ENTRIES_MAX: Final = 20_000
_LAYER: Final = "python"
_LAYER_SITE: Final = f"{_LAYER}/lib/python*/site-packages"
"""Where the packages of a layer lie in its zip."""


class CodeStore:
    """Folders of code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    def path(self, folder: str) -> Path:
        """Return where the code of a configuration's `codeFolder` lies."""
        return self._folder / folder

    def with_layers(self, folder: str, layers: Sequence[str]) -> Path:
        """Return where a function's code lies with its layers' packages, made before if need be.

        As on Lambda's path, the function's own files come before those of its layers.
        """
        if not layers:
            return self.path(folder)
        name = hashlib.sha256("+".join([folder, *layers]).encode()).hexdigest()
        target = self._folder / name
        if not target.is_dir():
            with self._scratch() as scratch:
                whole = Path(scratch) / name
                for layer in layers:  # a later one's files replace an earlier one's
                    for pattern in (_LAYER, _LAYER_SITE):
                        for site in self.path(layer).glob(pattern):
                            shutil.copytree(site, whole, dirs_exist_ok=True)
                shutil.copytree(self.path(folder), whole, dirs_exist_ok=True)
                _move(whole, target)
        return target

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

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Return a folder whose name the next start sweeps, should a kill leave it."""
        return tempfile.TemporaryDirectory(dir=self._folder, prefix=".", suffix=".tmp")

    def _unpack(self, content: bytes, target: Path) -> None:
        try:
            _refuse_many(content)
            with self._scratch() as scratch:
                archive = Path(scratch) / "code.zip"
                archive.write_bytes(content)
                unpack(archive, Path(scratch) / "code")
                _move(Path(scratch) / "code", target)
        except (GraderError, OSError) as error:
            raise invalid_parameter(f"Could not unzip uploaded file: {error}") from None


def code_from(source: Mapping[str, Any], store: CodeStore, s3: LocalS3) -> dict[str, Any]:
    """Keep the zip that a request brings or names; long, and thus never under a lock.

    Raises:
        AwsError: there is none, or one that no Lambda would take.
    """
    content: bytes | None = source.get("ZipFile")
    if content is not None:
        return store.keep_upload(content)
    if "S3Bucket" not in source or "S3Key" not in source:
        raise invalid_parameter("Please provide a source for function code: a zip, or S3")
    try:
        content = s3.get(f"s3://{source['S3Bucket']}/{source['S3Key']}")
    except S3Error as error:
        raise invalid_parameter(f"Error occurred while GetObject. {error.what}") from None
    return store.keep(content)


def _move(root: Path, target: Path) -> None:
    try:
        root.replace(target)
    except OSError:
        if not target.is_dir():  # else another request has just unpacked the same zip
            raise


def _refuse_many(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            count = len(archive.infolist())
    except DAMAGED as error:
        raise invalid_parameter(f"Could not unzip uploaded file: {error}") from None
    if count == 0 or count > ENTRIES_MAX:
        raise invalid_parameter(f"the zip must hold 1 to {ENTRIES_MAX:,} entries, found {count:,}")
