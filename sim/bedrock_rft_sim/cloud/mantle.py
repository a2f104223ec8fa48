"""The border to bedrock-mantle: OpenAI's client, its key, and every refusal as one message.

The client is pointed elsewhere by its own means (`OPENAI_BASE_URL`, `OPENAI_API_KEY`); without a
key a short-lived one is made of boto3's credentials. No key is kept, and none stands in a message.

Sources: Amazon Bedrock user guide, fine-tuning-openai-apis; openai Python library (its errors);
aws-bedrock-token-generator.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bedrock_rft_sim.errors import MASK, CloudError, masked

T = TypeVar("T")

BASE_URL: Final = "https://bedrock-mantle.{region}.api.aws/v1"
KEYS: Final = ("OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")
EXTRA: Final = "pip install 'bedrock-rft-sim[aws,mantle]'"
_NOT_FOUND: Final = 404
_UNCLEAR_FROM: Final = 500


class MantleRefusalError(CloudError):
    """bedrock-mantle refused a call, or gave no answer."""

    def __init__(self, what: str, *, status: int | None, found: str, hint: str | None) -> None:
        self.status = status
        super().__init__(what, where="bedrock-mantle", found=found, hint=hint)

    @property
    def missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.status == _NOT_FOUND

    @property
    def unclear(self) -> bool:
        """Whether the call may have done what was asked although it failed."""
        return self.status is None or self.status >= _UNCLEAR_FROM


@dataclass
class Mantle:
    """bedrock-mantle in one Region."""

    client: Any
    """An `openai.OpenAI`."""
    key: str = ""

    def call(self, what: str, ask: Callable[[Any], T]) -> T:
        """Ask the client; `what` names the call in messages.

        Raises:
            MantleRefusalError: it refuses, or gives no answer.
        """
        from openai import APIConnectionError, APIStatusError

        try:
            return ask(self.client)
        except APIStatusError as error:
            denied = error.status_code in (401, 403)
            raise MantleRefusalError(
                f"bedrock-mantle refuses {what}: {error.status_code}",
                status=error.status_code,
                found=self._clean(error.message),
                hint="check the key and AmazonBedrockMantleFullAccess" if denied else None,
            ) from None
        except APIConnectionError as error:
            raise MantleRefusalError(
                f"bedrock-mantle gives no answer to {what}",
                status=None,
                found=self._clean(str(error)),
                hint="check the network; the same command again goes on from here",
            ) from None

    def pages(self, what: str, ask: Callable[[Any], Any]) -> Iterator[Any]:
        """Yield everything in a list, page by page.

        Raises:
            MantleRefusalError: as `call`.
        """
        page = self.call(what, ask)
        while True:
            yield from page.data
            if not page.has_next_page():
                return
            page = self.call(what, lambda _, now=page: now.get_next_page())  # type: ignore[misc]

    def _clean(self, text: str) -> str:
        return masked(text.replace(self.key, MASK) if self.key else text)


def open_mantle(region: str) -> Mantle:
    """Return bedrock-mantle of a Region, as OpenAI's client finds it.

    Raises:
        CloudError: a package is not installed, or there is no key and none can be made.
    """
    try:
        from openai import OpenAI
    except ModuleNotFoundError as error:
        raise _lacks("openai") from error
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None) or _made(region)
    base = os.environ.get("OPENAI_BASE_URL") or BASE_URL.format(region=region)
    return Mantle(OpenAI(api_key=key, base_url=base), key)


def _made(region: str) -> str:
    """Return a short-lived key of boto3's credentials."""
    try:
        from aws_bedrock_token_generator import provide_token
    except ModuleNotFoundError as error:
        raise _lacks("aws-bedrock-token-generator") from error
    from botocore.exceptions import BotoCoreError

    try:
        return str(provide_token(region=region))
    except (BotoCoreError, ValueError) as error:
        raise CloudError(
            "no key for bedrock-mantle",
            expected=f"{' or '.join(KEYS)}, or credentials that boto3 finds",
            found=type(error).__name__,
        ) from None


def _lacks(name: str) -> CloudError:
    return CloudError(f"{name} is not installed", expected="the extra `mantle`", hint=EXTRA)
