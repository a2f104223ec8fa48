"""The job events of bedrock-mantle, built as plain data in exactly the shape it sends them.

Deliberately writes nothing anywhere and decides nothing about when an event is due.
Sources: the one published event, in aws-samples/amazon-bedrock-samples; openai Python library,
type definitions of fine_tuning.jobs. The wording of messages other than the metrics one is not
published and is this project's own.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS

Level = Literal["info", "warn", "error"]


def message_event(
    message: str, *, level: Level = "info", created_at: int | None = None
) -> dict[str, Any]:
    """Build an event that carries words only."""
    return _event(message, level=level, kind="message", data=None, created_at=created_at)


def metrics_event(values: Mapping[str, Any], *, created_at: int | None = None) -> dict[str, Any]:
    """Build the event of one training step; `values` are metrics by inner name."""
    data = {key: values.get(key) for key in MANTLE_EVENT_KEYS}
    message = f"Step {data['step']}/{data['total_steps']}: training metrics"
    return _event(message, level="info", kind="metrics", data=data, created_at=created_at)


def _event(
    message: str,
    *,
    level: Level,
    kind: Literal["message", "metrics"],
    data: dict[str, Any] | None,
    created_at: int | None,
) -> dict[str, Any]:
    return {
        "id": f"ftevent-{uuid.uuid4()}",
        "object": "fine_tuning.job.event",
        "created_at": int(time.time()) if created_at is None else created_at,
        "level": level,
        "message": message,
        "type": kind,
        "data": data,
    }
