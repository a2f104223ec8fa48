"""Which service a request is for, and how large a body it may bring there.

A signed request says itself which AWS service it means, in a header or, presigned, in its query;
the path decides for the rest, such as boto3's with a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK).
Sources: SigV4's credential scope; S3's older signature (AWSAccessKeyId, `AWS key:signature`) and
virtual hosts; paths of botocore's service models and of OpenAI's API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from bedrock_rft_sim.server.request_line import operation_at, query_of, raw_path

CODE_MAX: Final = 80 * 1024 * 1024
"""A zip of 50 MB for Lambda, in base64 and JSON."""
JSON_MAX: Final = 8 * 1024 * 1024
"""Everything else that is read whole; the largest is a function's payload, 6 MB."""
UPLOAD_MAX: Final = 1024 * 1024 * 1024
_BRINGS_CODE: Final = ("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion")
_UPLOADS: Final = ("/v1/files", "/files")
_SCOPE = re.compile(
    r"Credential=[^/,\s]{1,512}/\d{8}/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request"
)
_OLD_SCHEME: Final = "AWS "
_OLD_PARTS: Final = {"AWSAccessKeyId", "Signature"}
_BY_PATH: Final = (
    ("/model/", "bedrock-runtime"),
    ("/model-customization", "bedrock"),
    ("/custom-models", "bedrock"),
    ("/foundation-models", "bedrock"),
    ("/2015-03-31/functions", "lambda"),
    ("/console", "console"),
)
# `s3.` before the suffix is the service's own name; a bucket's has three characters at least.
_BUCKET_HOST = re.compile(r"(?:(.+?)\.)??(?:s3\.)?localhost(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes."""

    region: str | None
    """None where the request doesn't say."""
    service: str
    """By its name in signatures, or `bedrock-runtime`, `bedrock-mantle`, `console`; "" for the
    server's own page."""


def destination_of(scope: Scope) -> Destination:
    """Return the service; never raises, whatever the request holds."""
    authorization = Headers(scope=scope).get("authorization", "")
    query = query_of(scope)
    signed = _SCOPE.search(authorization)
    if signed is None:
        parts = parse_qs(query)
        signed = _SCOPE.search("Credential=" + parts.get("X-Amz-Credential", [""])[0])
        is_old = authorization.startswith(_OLD_SCHEME) or parts.keys() >= _OLD_PARTS
        if signed is None and is_old:
            return Destination(None, "s3")
    region = signed[1] if signed else None
    if signed and signed[2] != "bedrock":
        return Destination(region, signed[2])
    service = _by_path(scope)
    is_other = service in ("", "bedrock-mantle")
    if is_other and signed is None and _is_post_form(scope):
        return Destination(None, "s3")
    return Destination(region, "bedrock" if signed and is_other else service)


def _is_post_form(scope: Scope) -> bool:
    """Whether this is S3's presigned POST, which is signed in its body."""
    kind = Headers(scope=scope).get("content-type", "").lower()
    is_form = scope["method"] == "POST" and kind.startswith("multipart/form-data")
    path = raw_path(scope)
    return is_form and path not in _UPLOADS and not path.startswith("/v1/")


def _by_path(scope: Scope) -> str:
    path = raw_path(scope)
    for start, service in _BY_PATH:
        if path.startswith(start):
            return service
    if path == "/":
        return ""
    for service in ("bedrock", "bedrock-runtime"):
        if operation_at(service, scope)[0]:
            return service
    return "bedrock-mantle"


def s3_path(scope: Scope) -> str:
    """Return the path of a request to S3: a bucket that is named by the Host comes first."""
    match = _BUCKET_HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
    bucket = match[1] if match else None
    return raw_path(scope) if bucket is None else f"/{bucket}{raw_path(scope)}"


def body_max(scope: Scope) -> int:
    """Return how many bytes may come."""
    service, path = destination_of(scope).service, raw_path(scope)
    is_file = service == "bedrock-mantle" and scope["method"] == "POST" and path in _UPLOADS
    if service == "s3" or is_file:
        return UPLOAD_MAX
    if service == "lambda":
        operation, _ = operation_at(service, scope)
        return CODE_MAX if operation in _BRINGS_CODE else JSON_MAX
    return JSON_MAX
