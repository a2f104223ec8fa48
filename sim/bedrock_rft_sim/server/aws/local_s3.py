"""The local S3: moto's, and a copy of every object on disk that outlives a restart.

What survives is buckets, keys, contents and content types; versions, policies and tags do not.
A key never becomes a path: files are named by the hash of bucket and key.
Sources: Amazon S3 API reference (GetObject, PutObject, CreateBucket).
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote
from xml.etree.ElementTree import fromstring

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.files import (
    dump,
    make_folder,
    named_errors,
    read_json,
    replacing,
    sweep,
    write_file,
)
from bedrock_rft_sim.server.aws.bodies import LARGE, StoredBody, pieces_of, unchunked
from bedrock_rft_sim.server.aws.moto_app import (
    REFUSED,
    MotoApp,
    MotoRequest,
    MotoResponse,
    xml_error,
)
from bedrock_rft_sim.server.aws.post_form import FormError, is_post_form, read_form

MISSING = 404
_SHA256 = "x-amz-content-sha256"
_BODIES = ".bodies.tmp"
"""The folder of what moto holds, which ends with the process."""


class S3Error(RehearsalError, LookupError):
    """The local S3 has no such bucket or object, or refuses."""


def parse_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key`.

    Raises:
        S3Error: it is none.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise S3Error("not an S3 URI", expected="s3://bucket/key", found=repr(uri))
    return bucket, key


class LocalS3:
    """Objects by bucket and key."""

    def __init__(self, folder: Path, moto: MotoApp | None = None) -> None:
        self._folder = folder
        self.moto = moto or MotoApp()
        self._lock = threading.RLock()
        self._is_loaded = False
        make_folder(folder)
        sweep(folder)

    def get(self, uri: str) -> bytes:
        """Return an object.

        Raises:
            S3Error: the bucket or the object is not there.
        """
        bucket, key = parse_uri(uri)
        answer = self.call(_request("GET", bucket, key))
        if answer.status >= REFUSED:
            raise _missing(answer, bucket, uri)
        return b"".join(answer.pieces())

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is a bucket of this name."""
        return self.call(_request("HEAD", bucket)).status < REFUSED

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object.

        Raises:
            S3Error: the bucket is not there.
        """
        answer = self.call(_request("PUT", bucket, key, body=content))
        if answer.status >= REFUSED:
            raise _missing(answer, bucket, f"s3://{bucket}/{key}")

    def call(self, request: MotoRequest) -> MotoResponse:
        """Answer one S3 request, and keep on disk what it changed."""
        if is_post_form(request):
            return self._posted(request)
        self._load()
        try:
            answer = self._called(request)
        except ValueError as error:
            return xml_error("s3", "InvalidChunkSizeError", str(error), status=REFUSED)
        if request.method in ("PUT", "POST", "DELETE") and answer.status < REFUSED:
            with self._lock:
                self._keep(request)
        return answer

    def _posted(self, request: MotoRequest) -> MotoResponse:
        try:
            form = read_form(request)
        except FormError as error:
            return xml_error("s3", error.found or "", error.what, status=REFUSED)
        with form.file:
            return form.reply(self.call(form.put()))

    def warm(self) -> None:
        """Load moto and what was kept, so that the first client need not wait."""
        self.has_bucket("warm")

    def _load(self) -> None:
        """Fill moto's S3 from the disk, once."""
        with self._lock:
            if self._is_loaded:
                return
            records = [read_json(path) for path in self._folder.glob("*.json")]
            for record in sorted(records, key=lambda one: one["key"] is not None):
                self._put_back(record)
            self._is_loaded = True

    def _put_back(self, record: dict[str, Any]) -> None:
        bucket, key = record["bucket"], record["key"]
        if key is None:
            self._moto("PUT", bucket)
            return
        content = self._file(bucket, key, "object")
        if content.is_file():
            headers = {"content-type": record["contentType"]}
            with content.open("rb") as file:
                self._moto("PUT", bucket, key, headers=headers, body=file)

    def _moto(self, method: str, bucket: str, key: str = "", **more: Any) -> MotoResponse:
        return self._called(_request(method, bucket, key, **more))

    def _called(self, request: MotoRequest) -> MotoResponse:
        """Call moto, with a large content as a file.

        Raises:
            ValueError: the content's chunks are damaged.
            S3Error: the disk refuses.
        """
        body = request.body
        if request.method != "PUT" or isinstance(body, bytes | StoredBody):
            return self.moto.call("s3", request)
        if body.seek(0, io.SEEK_END) < LARGE:
            return self.moto.call("s3", request)
        headers, trailer = dict(request.headers), dict[str, str]()
        pieces = pieces_of(body)
        if headers.get(_SHA256, "").startswith("STREAMING-"):
            headers[_SHA256] = "UNSIGNED-PAYLOAD"
            pieces = unchunked(body, trailer)
        with named_errors(self._folder, "keep the object", kind=S3Error):
            stored = StoredBody.of(self._folder / _BODIES, pieces)
        return self.moto.call("s3", replace(request, headers=headers | trailer, body=stored))

    def _keep(self, request: MotoRequest) -> None:
        bucket, _, key = unquote(request.raw_path.lstrip("/")).partition("/")
        query = parse_qs(request.query, keep_blank_values=True)
        if request.method == "POST" and "delete" in query:
            self._forget_missing(bucket)
        elif key:
            self._keep_object(bucket, key)
        elif bucket:
            self._keep_bucket(bucket)

    def _keep_bucket(self, bucket: str) -> None:
        record = self._file(bucket, None, "json")
        if self._moto("HEAD", bucket).status >= REFUSED:
            record.unlink(missing_ok=True)
        elif not record.exists():
            self._write(record, {"bucket": bucket, "key": None})

    def _keep_object(self, bucket: str, key: str) -> None:
        content, record = self._file(bucket, key, "object"), self._file(bucket, key, "json")
        answer = self._moto("GET", bucket, key)
        if answer.status >= REFUSED:
            record.unlink(missing_ok=True)
            content.unlink(missing_ok=True)
            return
        kinds = {name.lower(): value for name, value in answer.headers}
        kind = kinds.get("content-type", "binary/octet-stream")
        with named_errors(content, "keep the object"), replacing(content) as file:
            file.writelines(answer.pieces())
        self._write(record, {"bucket": bucket, "key": key, "contentType": kind})

    def _forget_missing(self, bucket: str) -> None:
        for path in self._folder.glob("*.json"):
            record = read_json(path)
            if record["bucket"] == bucket and record["key"] is not None:
                head = self._moto("HEAD", bucket, record["key"])
                if head.status == MISSING:
                    path.unlink(missing_ok=True)
                    self._file(bucket, record["key"], "object").unlink(missing_ok=True)

    def _file(self, bucket: str, key: str | None, suffix: str) -> Path:
        name = bucket if key is None else f"{bucket}/{key}"
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.{suffix}"

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        write_file(path, dump(record), "keep the object's name")


def _request(method: str, bucket: str, key: str = "", **more: Any) -> MotoRequest:
    path = f"/{quote(bucket, safe='')}" + (f"/{quote(key)}" if key else "")
    return MotoRequest(method, path, **more)


def _missing(answer: MotoResponse, bucket: str, uri: str) -> S3Error:
    code = ""
    if answer.body.startswith(b"<"):
        code = fromstring(answer.body).findtext("Code") or ""  # noqa: S314 - moto's own answer
    if code == "NoSuchBucket":
        return S3Error(f"there is no bucket {bucket!r} in the local S3", where=uri)
    return S3Error(f"the local S3 has no object at {uri}", found=code or None)
