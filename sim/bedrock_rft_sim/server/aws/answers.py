"""An answer of S3, IAM or STS, and their refusals, which are XML.

Sources: Amazon S3 API reference, error responses; IAM Query API, `ErrorResponse`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bedrock_rft_sim.server.errors import NOT_SIMULATED

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes


def xml_error(service: str, code: str, message: str, *, status: int) -> Answer:
    """Return a refusal in the service's form."""
    words = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request = f"<RequestId>{uuid.uuid4()}</RequestId>"
    if service == "s3":
        text = f"<Error>{words}{request}</Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{words}</Error>{request}</ErrorResponse>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    # What XML has no place for, such as NUL, is a character in no refusal.
    clean = "".join(each for each in body if each >= " " or each in "\n\t")
    return Answer(status, (("Content-Type", "application/xml"),), clean.encode("utf-8", "replace"))


def not_simulated(service: str, why: str) -> Answer:
    """Return the refusal of what moto doesn't know, by the service's own name for it."""
    words = f"this is {NOT_SIMULATED} by the local endpoint: {why}"
    if service == "s3":
        return xml_error(service, "NotImplemented", words, status=501)
    return xml_error(service, "InvalidAction", words, status=400)
