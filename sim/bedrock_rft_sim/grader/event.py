"""Rollouts in, the JSON event that Bedrock sends out.

Where `reference_answer` and the other keys of the record sit is a named profile of
`bedrock_rft_sim.contract.payload_profiles`.
`wrap_string_as_text` sends a plain string as `{"text": ...}`, which the sample grader for
open-weight models reads (aws-samples/amazon-bedrock-samples).

How many samples the service puts into one event is not known: the split is by count alone, and an
event that is too large is an error, not a reason to split again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE, PLACES
from bedrock_rft_sim.errors import EventError
from bedrock_rft_sim.grader.samples import Sample


def build_event(
    samples: Sequence[Sample], *, profile: str = DEFAULT_PROFILE, wrap_string_as_text: bool = False
) -> list[dict[str, Any]]:
    """The event for these samples, in their order."""
    if profile not in PLACES:
        raise EventError(
            "no such payload profile", expected=" or ".join(PLACES), found=repr(profile)
        )
    _refuse_repeated_ids(samples)
    return [_entry(sample, profile=profile, wrap=wrap_string_as_text) for sample in samples]


def encode_event(event: Sequence[dict[str, Any]]) -> bytes:
    """The event as it travels; refuses one that Lambda would refuse for its size."""
    try:
        body = _to_json(event)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError("the event can't be written as JSON", found=str(error)) from error
    if len(body) > LAMBDA_PAYLOAD_BYTES:
        raise EventError(
            "the event is larger than Lambda accepts",
            where=f"event of {len(event)} samples, first id {event[0].get('id')!r}",
            expected=f"at most {LAMBDA_PAYLOAD_BYTES:,} bytes",
            found=f"{len(body):,} bytes",
            hint="send fewer samples per event (local.lambda.batchSize) or shorter records",
        )
    return body


def split(samples: Sequence[Sample], samples_per_event: int) -> Iterator[Sequence[Sample]]:
    """Consecutive runs of at most `samples_per_event` samples."""
    for start in range(0, len(samples), samples_per_event):
        yield samples[start : start + samples_per_event]


def _entry(sample: Sample, *, profile: str, wrap: bool) -> dict[str, Any]:
    keys: dict[str, Any] = dict(sample.extra)
    if (reference := sample.reference_answer) is not None:
        wrapped = wrap and isinstance(reference, str)
        keys["reference_answer"] = {"text": reference} if wrapped else reference
    places = PLACES[profile]
    entry: dict[str, Any] = dict(keys) if "root" in places else {}
    entry |= {"id": sample.id, "messages": [dict(message) for message in sample.messages]}
    if "metadata" in places:
        entry["metadata"] = keys
    return entry


def _refuse_repeated_ids(samples: Sequence[Sample]) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise EventError(
                "two samples of one event share an id; results are matched by id",
                found=repr(sample.id),
            )
        seen.add(sample.id)


def _to_json(event: Sequence[dict[str, Any]]) -> bytes:
    try:
        return json.dumps(
            event, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # half a surrogate pair has no UTF-8, but JSON can escape it
        return json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
