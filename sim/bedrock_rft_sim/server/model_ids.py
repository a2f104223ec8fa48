"""Model ids as people write them: bare, in ARNs, with a geography, with or without a context.

    arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0:256k
    amazon.nova-2-lite-v1:0          without the context, as inference takes it
    us.amazon.nova-2-lite-v1:0       an inference profile; `eu.`, `global.` and others alike
    openai.gpt-oss-20b-1:0           bedrock-runtime's name of bedrock-mantle's openai.gpt-oss-20b

Sources: Bedrock user guide, models-supported and inference-profiles-support.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

INFERENCE_PROFILE: Final = ":inference-profile/"
GEOGRAPHIES: Final = ("us", "us-gov", "eu", "apac", "jp", "au", "ca", "global")
_ARN: Final = re.compile(
    rf"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*(?::foundation-model/|{INFERENCE_PROFILE})"
)
_GEOGRAPHY: Final = re.compile(rf"(?:{'|'.join(GEOGRAPHIES)})\.(?=[a-z0-9-]+\.)")
_CONTEXT: Final = re.compile(r":\d+[km]\Z")
_RUNTIME_ENDING: Final = "-1:0"


def plain_id(identifier: str) -> str:
    """Return the id without what spellings differ in; that of another kind of name is itself."""
    bare = _ARN.match(identifier)
    text = identifier[bare.end() :] if bare else identifier
    geography = _GEOGRAPHY.match(text)
    text = text[geography.end() :] if geography else text
    return _CONTEXT.sub("", text).removesuffix(_RUNTIME_ENDING)


def known_id(identifier: str, known: Iterable[str]) -> str | None:
    """Return the one of the known ids that is spelled like this, exactly or plainly."""
    plain = {plain_id(one): one for one in reversed(list(known))}
    return plain.get(plain_id(identifier))


def spelled(asked: str, documented: str) -> list[str]:
    """Return the remark that a job's base model is taken for another spelling of it, if it is."""
    if asked == documented:
        return []
    return [f"rehearsal: {asked} is taken for {documented}, the documented id (assumed)"]
