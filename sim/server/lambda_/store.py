"""The functions: configuration, code, versions and aliases, on disk.

    functions/<name>/function.json      $LATEST, the versions, the aliases, the tags
    functions/.code/<sha256>/           what a zip held; never changed, so that jobs can rely on it

Deliberately runs nothing; `sim.server.lambda_.runner` does.
Sources: AWS Lambda API reference and quotas.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import re
import shutil
import tempfile
import threading
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sim.errors import GraderError
from sim.grader.package import open_package
from sim.runfolder.disk import dump, named_errors, read_json, replace_file
from sim.server.errors import AwsError
from sim.server.lambda_.runner import Runner

LATEST: Final = "$LATEST"
ZIP_MAX: Final = 50 * 1024 * 1024
ENTRIES_MAX: Final = 20_000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARN: Final = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A function as one version or alias names it."""

    name: str
    version: str
    arn: str
    """With the qualifier that was asked for, if any."""
    configuration: dict[str, Any]
    code: Path
    """The unpacked zip."""


class Functions:
    """Functions by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._code = folder / ".code"
        self._lock = threading.RLock()
        self.runner = Runner()
        with named_errors(folder, "create the folder"):
            self._code.mkdir(parents=True, exist_ok=True)
        paths = sorted(folder.glob("*/function.json"))
        self._known = {path.parent.name: read_json(path) for path in paths}

    def close(self) -> None:
        """End the warm containers."""
        self.runner.close()

    def names(self) -> list[str]:
        """Return the names of all functions."""
        with self._lock:
            return sorted(self._known)

    def has(self, name: str) -> bool:
        """Whether there is such a function."""
        return name in self._known

    def record(self, name: str) -> dict[str, Any]:
        """Return everything about a function, to read or to change and `save`.

        Raises:
            AwsError: there is none of this name.
        """
        with self._lock:
            if name not in self._known:
                raise AwsError("ResourceNotFoundException", f"Function not found: {name}")
            return self._known[name]

    def save(self, name: str, record: dict[str, Any]) -> None:
        """Keep a function; its name has been checked."""
        path = self._folder / name / "function.json"
        with self._lock, named_errors(path, "write the function"):
            path.parent.mkdir(exist_ok=True)
            replace_file(path, dump(record, indent=2).encode())
            self._known[name] = record

    def remove(self, name: str) -> None:
        """Forget a function; code that a job may still use stays."""
        with self._lock:
            self.record(name)
            shutil.rmtree(self._folder / name)
            del self._known[name]

    def resolve(self, reference: str, qualifier: str | None = None) -> Resolved:
        """Return the version that a name, an ARN, a version or an alias means.

        Raises:
            AwsError: there is no such function, version or alias.
        """
        name, own = split_reference(reference)
        asked = qualifier or own
        record = self.record(name)
        alias = record["aliases"].get(asked)
        version = alias["FunctionVersion"] if alias else asked or LATEST
        configuration = record["versions"].get(version)
        if configuration is None:
            arn = f"{record['arn']}:{asked}"
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}")
        arn = record["arn"] + (f":{asked}" if asked else "")
        code = self._code / configuration["codeFolder"]
        return Resolved(name, version, arn, configuration, code)

    def keep_code(self, content: bytes) -> dict[str, Any]:
        """Unpack a zip safely; return what the configuration says about it.

        Raises:
            AwsError: it is no zip, or one that no Lambda would take.
        """
        if len(content) > ZIP_MAX:
            words = f"the zip is larger than {ZIP_MAX:,} bytes; upload it to S3 instead"
            raise AwsError("RequestEntityTooLargeException", words)
        digest = hashlib.sha256(content)
        target = self._code / digest.hexdigest()
        with self._lock:
            if not target.is_dir():
                self._unpack(content, target)
        code_sha = base64.b64encode(digest.digest()).decode()
        return {"codeFolder": target.name, "CodeSha256": code_sha, "CodeSize": len(content)}

    def _unpack(self, content: bytes, target: Path) -> None:
        try:
            _refuse_many(content)
            with tempfile.TemporaryDirectory(dir=self._code) as scratch:
                archive = Path(scratch) / "code.zip"
                archive.write_bytes(content)
                package = open_package(archive, handler="a.b", scratch=Path(scratch))
                package.root.replace(target)
        except (GraderError, zipfile.BadZipFile, OSError) as error:
            raise AwsError(
                "InvalidParameterValueException", f"Could not unzip uploaded file: {error}"
            ) from None


def _refuse_many(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        count = len(archive.infolist())
    if count == 0 or count > ENTRIES_MAX:
        raise AwsError(
            "InvalidParameterValueException",
            f"the zip must hold 1 to {ENTRIES_MAX:,} entries, found {count:,}",
        )


def check_name(name: str) -> str:
    """Return the name of a new function; it becomes a folder's name.

    Raises:
        AwsError: it is none.
    """
    short, qualifier = split_reference(name)
    if qualifier is not None or not _NAME.fullmatch(short):
        raise _bad_name(name)
    return short


def split_reference(reference: str) -> tuple[str, str | None]:
    """Return name and qualifier of a name, a partial ARN or an ARN.

    Raises:
        AwsError: it is none of these.
    """
    match = _ARN.fullmatch(reference)
    if match is None:
        raise _bad_name(reference)
    return match["name"], match["qualifier"]


def _bad_name(reference: str) -> AwsError:
    return AwsError(
        "InvalidParameterValueException",
        f"1 validation error detected: Value {reference[:200]!r} at 'functionName', expected: "
        "a function's name or ARN",
    )


def now() -> str:
    """Return the time as Lambda writes `LastModified`."""
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "+0000")


def revision() -> str:
    """Return a new `RevisionId`."""
    return str(uuid.uuid4())
