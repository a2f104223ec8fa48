"""InvokeModel's body for Nova models: the messages format, whose answers are those of Converse.

Honoured: `system`, `messages` (text), `inferenceConfig` with `maxTokens` (also `max_new_tokens`),
`temperature`, `topP`, `topK`, `stopSequences`; `reasoningConfig`, handed to the chat template.
Anything else is refused.
Sources: Amazon Nova 2 user guide, request and response schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bedrock_rft_sim.server.errors import NOT_SIMULATED, invalid
from bedrock_rft_sim.server.inference import ModelRequest
from bedrock_rft_sim.server.runtime.converse import read_converse

SCHEMA_VERSION: Final = "messages-v1"
_EXTRA: Final = ("topK", "reasoningConfig")
_KEYS: Final = frozenset({"schemaVersion", "system", "messages", "inferenceConfig", *_EXTRA})


def read_nova(body: Mapping[str, Any], *, local_model: str) -> ModelRequest:
    """Check a body of the messages format.

    Raises:
        AwsError: it says something wrong, or asks for what is not simulated.
    """
    for name in body:
        if name not in _KEYS:
            raise invalid(f"{name} is {NOT_SIMULATED}; expected one of {', '.join(sorted(_KEYS))}")
    version = body.get("schemaVersion", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise invalid(f"schemaVersion: expected {SCHEMA_VERSION}, got {version!r:.60}")
    config = body.get("inferenceConfig", {})
    if not isinstance(config, dict):
        raise invalid("inferenceConfig: expected an object")
    config = dict(config)
    if "max_new_tokens" in config:
        config.setdefault("maxTokens", config.pop("max_new_tokens"))
    extra = {name: config.pop(name) for name in _EXTRA if name in config}
    extra |= {name: body[name] for name in _EXTRA if name in body}
    stated = {name: body[name] for name in ("system", "messages") if name in body}
    return read_converse(
        {**stated, "inferenceConfig": config, "additionalModelRequestFields": extra},
        local_model=local_model,
        is_nova=True,
    )
