"""A presigned POST: a form with one file, turned into the PUT that keeps the file's bytes.

The signed policy and its conditions are not checked, as no signature is.
Source: Amazon S3 API reference, POST Object (names of fields ignore case; `${filename}`; answers).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server.aws.bodies import StoredBody
from bedrock_rft_sim.server.aws.moto_app import REFUSED, MotoRequest, MotoResponse

KIND: Final = "multipart/form-data"
FIELDS_MAX: Final = 8 * 1024 * 1024
"""Bytes of all fields but the file."""
_KEPT: Final = ("content-type", "cache-control", "content-disposition", "content-encoding")
_META: Final = "x-amz-meta-"
_CREATED: Final = "201"
_STATUSES: Final = {"200": 200, _CREATED: 201}


class FormError(RehearsalError, ValueError):
    """The form can't be taken; its `found` is S3's code."""


def is_post_form(request: MotoRequest) -> bool:
    """Whether this is a form posted to a bucket."""
    kind = request.headers.get("content-type", "")
    return request.method == "POST" and not request.query and kind.lower().startswith(KIND)


@dataclass(frozen=True, slots=True)
class PostForm:
    """What a form asks for."""

    bucket: str
    key: str
    fields: Mapping[str, str]
    """By their names in lower case."""
    file: IO[bytes]
    """To be closed by who reads it."""

    def put(self) -> MotoRequest:
        """Return the request that does the same."""
        headers = {
            name: value
            for name, value in self.fields.items()
            if name in _KEPT or name.startswith(_META)
        }
        headers.setdefault("content-type", "binary/octet-stream")
        path = f"/{quote(self.bucket, safe='')}/{quote(self.key)}"
        return MotoRequest("PUT", path, headers=headers, body=self.file)

    def reply(self, answer: MotoResponse) -> MotoResponse:
        """Return what the form is answered, from the answer to `put`."""
        if answer.status >= REFUSED:
            return answer
        etag = next((value for name, value in answer.headers if name.lower() == "etag"), "")
        headers, body = [("ETag", etag)], b""
        redirect = urlsplit(self.fields.get("success_action_redirect", ""))
        if redirect.netloc:
            told = [("bucket", self.bucket), ("key", self.key), ("etag", etag)]
            query = urlencode([*parse_qsl(redirect.query), *told])
            return MotoResponse(
                303, [*headers, ("Location", redirect._replace(query=query).geturl())], b""
            )
        asked = self.fields.get("success_action_status", "")
        if asked == _CREATED:
            told = [("Bucket", self.bucket), ("Key", self.key), ("ETag", etag)]
            words = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in told)
            body = f"<PostResponse>{words}</PostResponse>".encode()
            headers.append(("Content-Type", "application/xml"))
        return MotoResponse(_STATUSES.get(asked, 204), headers, body)


def read_form(request: MotoRequest) -> PostForm:
    """Read a form.

    Raises:
        FormError: it has no file or no key, or its fields are too large.
    """
    fields, files = _parts(request)
    upload = files.get("file")
    for other in files.values():
        if other is not upload:
            other.close()
    if upload is None and "file" not in fields:
        raise _bad("POST requires exactly one file upload per request")
    key = fields.get("key", "")
    if not key:
        if upload is not None:
            upload.close()
        raise _bad("Bucket POST must contain a field named 'key'")
    name = "" if upload is None else (upload.filename or "").replace("\\", "/").rpartition("/")[2]
    bucket = unquote(request.raw_path.strip("/"))
    file = io.BytesIO(fields["file"].encode()) if upload is None else upload.stream
    return PostForm(bucket, key.replace("${filename}", name), fields, file)


def _parts(request: MotoRequest) -> tuple[dict[str, str], Mapping[str, Any]]:
    from werkzeug.exceptions import HTTPException
    from werkzeug.formparser import FormDataParser
    from werkzeug.http import parse_options_header

    body = request.body
    assert not isinstance(body, bytes | StoredBody)
    size = body.seek(0, 2)
    body.seek(0)
    mimetype, options = parse_options_header(request.headers["content-type"])
    parser = FormDataParser(max_form_memory_size=FIELDS_MAX)
    try:
        _, fields, files = parser.parse(body, mimetype, size, options)
    except HTTPException as error:
        raise _bad(f"the form can't be read: {error.description}") from None
    return {name.lower(): value for name, value in fields.items()}, files


def _bad(words: str) -> FormError:
    return FormError(words, found="InvalidArgument")
