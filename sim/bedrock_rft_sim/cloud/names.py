"""What a request names on AWS: its function, its role, its objects.

Source: botocore's service models (the patterns of their ARNs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError

_FUNCTION: Final = re.compile(
    r"arn:(?P<partition>[^:]+):lambda:(?P<region>[^:]+):(?P<account>\d{12}):function:"
    r"(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?"
)
_ROLE: Final = re.compile(
    r"arn:[^:]+:iam::(?P<account>\d{12}):role(?P<path>/(?:.+/)?)(?P<name>[^/]+)"
)
_OBJECT: Final = re.compile(r"s3://(?P<bucket>[^/]+)/?(?P<key>.*)")


@dataclass(frozen=True)
class FunctionArn:
    """A function's ARN in pieces."""

    partition: str
    region: str
    account: str
    name: str
    qualifier: str | None
    """A version or an alias; None for $LATEST."""

    def __str__(self) -> str:
        start = f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"
        return start if self.qualifier is None else f"{start}:{self.qualifier}"


@dataclass(frozen=True)
class RoleArn:
    """A role's ARN in pieces."""

    account: str
    path: str
    name: str


@dataclass(frozen=True)
class ObjectName:
    """A place in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def function_arn(text: str) -> FunctionArn:
    """Return a function's ARN in pieces, once a dialect has found it right."""
    return FunctionArn(**_matched(_FUNCTION, text, "a Lambda function's ARN"))


def role_arn(text: str) -> RoleArn:
    """Return a role's ARN in pieces.

    Raises:
        RecipeError: it is none.
    """
    return RoleArn(**_matched(_ROLE, text, "an IAM role's ARN"))


def object_name(text: str) -> ObjectName:
    """Return the bucket and the key of an S3 URI.

    Raises:
        RecipeError: it is none.
    """
    return ObjectName(**_matched(_OBJECT, text, "s3://BUCKET/KEY"))


def _matched(pattern: re.Pattern[str], text: str, expected: str) -> Mapping[str, Any]:
    found = pattern.fullmatch(text)
    if found is None:
        raise RecipeError("not a name that AWS has", expected=expected, found=repr(text))
    return found.groupdict()
