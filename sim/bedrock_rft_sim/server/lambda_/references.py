"""Which function a client means: by name, partial ARN or ARN, with or without a qualifier.

A function belongs to a Region; a name alone means the one of the Region of the call.
Sources: AWS Lambda API reference (FunctionName); the wording about another Region is Lambda's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bedrock_rft_sim.server.bedrock.names import ACCOUNT
from bedrock_rft_sim.server.errors import AwsError, detected, invalid_parameter, not_found

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")
_ARN: Final = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


@dataclass(frozen=True, order=True, slots=True)
class FunctionId:
    """One function of the account."""

    region: str
    name: str

    @property
    def arn(self) -> str:
        """Its ARN, without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"


def new_function(name: str, *, region: str) -> FunctionId:
    """Return the identity of a new function; both parts become a folder's name.

    Raises:
        AwsError: one of them is none.
    """
    found, qualifier = find_function(name, region=region)
    if qualifier is not None or not _NAME.fullmatch(found.name):
        raise _bad_name(name)
    if not _REGION.fullmatch(region):
        raise invalid_parameter(f"{region[:200]!r} is the name of no Region")
    return found


def find_function(reference: str, *, region: str | None) -> tuple[FunctionId, str | None]:
    """Return the function, whether or not there is one, and the qualifier inside the reference.

    `region` is that of the call; None takes the ARN's, which must have one.

    Raises:
        AwsError: it is no reference, or leads to another Region than the call's.
    """
    match = _ARN.fullmatch(reference)
    if match is None:
        raise _bad_name(reference)
    own = match["region"]
    wanted = own or region
    if wanted is None:
        raise _bad_name(reference)
    if region not in (None, wanted):
        raise not_found(f"Functions from '{own}' are not reachable in this region ('{region}')")
    return FunctionId(wanted, match["name"]), match["qualifier"]


def _bad_name(reference: str) -> AwsError:
    rule = "expected: a function's name or ARN"
    return invalid_parameter(detected([f"Value {reference[:200]!r} at 'functionName', {rule}"]))
