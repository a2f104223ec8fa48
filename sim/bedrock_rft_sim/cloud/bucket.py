"""Data files in S3: uploaded with their hash; an equal object is skipped, no other overwritten.

Buckets are never made here: their place, keys and policies are an administrator's.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final, Literal

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.prepared import DataObject
from bedrock_rft_sim.cloud.record import ASKED, MADE, CloudRecord
from bedrock_rft_sim.cloud.steps import PlannedStep
from bedrock_rft_sim.errors import CloudError

KIND: Final = "object"
HASH: Final = "rft-sha256"
"""The metadata that holds an object's hash."""
Existing = Literal["stop", "keep", "replace"]
"""What is done with another object in the place of the data."""
_CHUNK: Final = 1 << 20


def plan_object(aws: Aws, wanted: DataObject, existing: Existing) -> PlannedStep:
    """Say what will become of an object."""
    place, size = wanted.place, f"{wanted.size:,} bytes"
    name = str(place)
    bucket = aws.find("s3", "HeadBucket", Bucket=place.bucket)
    if bucket is None:
        none = f"there is no bucket {place.bucket}; make it in {aws.region}"
        return PlannedStep(KIND, name, "upload", f"{wanted.what} ({size}) to {name}", none)
    region = bucket.get("BucketRegion") or aws.region
    warnings: tuple[str, ...] = ()
    if region != aws.region:
        warnings = (f"the bucket {place.bucket} is in {region}, the job in {aws.region}",)
    is_equal = _is_equal(aws, wanted)
    if is_equal:
        return PlannedStep(KIND, name, "keep", f"{name} holds {wanted.what}", warnings=warnings)
    if is_equal is None:
        words = f"upload {wanted.what} ({size}, SHA-256 {wanted.sha256[:12]}…) to {name}"
        return PlannedStep(KIND, name, "upload", words, warnings=warnings)
    if existing == "keep":
        words = f"{name} stays, although it is not {wanted.what}"
        return PlannedStep(KIND, name, "keep", words, warnings=warnings)
    other = (
        f"{name} holds something else than {wanted.what}; --existing replace overwrites it, "
        "--existing keep trains on it, or name another key in the recipe"
    )
    blocker = other if existing == "stop" else None
    words = f"replace {name} by {wanted.what} ({size})"
    return PlannedStep(KIND, name, "replace", words, blocker, warnings)


def make_object(aws: Aws, wanted: DataObject, record: CloudRecord, existing: Existing) -> None:
    """Upload a data file unless it is there.

    Raises:
        CloudError: another object has its place and is not to be replaced.
    """
    place = wanted.place
    is_equal = _is_equal(aws, wanted)
    if is_equal and record.state(KIND, str(place)) == ASKED:  # the answer of PutObject was lost
        record.own(KIND, str(place), MADE)
    if is_equal or (is_equal is False and existing == "keep"):
        return
    if is_equal is False and existing == "stop":
        raise CloudError("another object has this place", where=str(place), hint="see --existing")
    if is_equal is None:
        record.own(KIND, str(place))
    with wanted.open() as body:
        aws.call(
            "s3",
            "PutObject",
            Bucket=place.bucket,
            Key=place.key,
            Body=body,
            ChecksumSHA256=base64.b64encode(bytes.fromhex(wanted.sha256)).decode(),
            Metadata={HASH: wanted.sha256},
        )
    if record.state(KIND, str(place)) is not None:
        record.own(KIND, str(place), MADE)


def _is_equal(aws: Aws, wanted: DataObject) -> bool | None:
    """Whether the object is the data; None where there is no object."""
    named: dict[str, Any] = {"Bucket": wanted.place.bucket, "Key": wanted.place.key}
    found = aws.find("s3", "HeadObject", **named)
    if found is None:
        return None
    stated = (found.get("Metadata") or {}).get(HASH)
    if stated is not None or found["ContentLength"] != wanted.size:
        return bool(stated == wanted.sha256)
    digest = hashlib.sha256()  # somebody else's upload says no hash
    body = aws.call("s3", "GetObject", **named)["Body"]
    while chunk := aws.read(body, _CHUNK):
        digest.update(chunk)
    return digest.hexdigest() == wanted.sha256
