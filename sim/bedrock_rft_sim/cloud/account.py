"""The border to AWS: one account, one Region, and every refusal as one message.

Credentials are boto3's own business (environment, profiles, SSO, roles), endpoints too
(`AWS_ENDPOINT_URL`); none of them is kept, and none stands in a message.

Sources: botocore service models; AWS's common errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bedrock_rft_sim.errors import MASK, SECRET_LENGTH_MIN, CloudError, masked

POLICY: Final = "cloud-caller"
"""The document of policies.json that allows what is called here."""
ACTIONS: Final[Mapping[str, str]] = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""IAM's name for an operation, where it is another one."""
MISSING: Final = frozenset(
    {"ResourceNotFoundException", "NoSuchEntity", "NoSuchKey", "NoSuchBucket", "NotFound", "404"}
)
DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
)
STALE: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch",
     "UnrecognizedClientException", "InvalidAccessKeyId", "RequestExpired"}
)  # fmt: skip
WAIT_S: Final = 5.0
TRIES: Final = 12
"""How long a new role or function is waited for: IAM needs some seconds until others see a role."""


class AwsRefusalError(CloudError):
    """AWS refused a call; `code` is its own word for why."""

    def __init__(self, code: str, action: str, *, found: str, hint: str | None) -> None:
        self.code = code
        super().__init__(f"AWS refuses {action}: {code}", where="AWS", found=found, hint=hint)

    @property
    def missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.code in MISSING


@dataclass
class Aws:
    """boto3's clients of one Region, made when they are first needed."""

    session: Any
    """A `boto3.Session`."""
    region: str
    sleep: Callable[[float], None] = time.sleep
    secrets: tuple[str, ...] = ()
    """Values that no message may hold, beside the credentials: a function's variables."""
    _clients: dict[tuple[str, float | None], Any] = field(default_factory=dict)

    def call(
        self, service: str, operation: str, *, read_s: float | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Call an operation by AWS's name for it and return the answer.

        `read_s` is how long the answer may take, where botocore's minute may be too short.

        Raises:
            AwsRefusalError: AWS refuses.
            CloudError: AWS can't be asked: no credentials, no connection, no answer.
        """
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        name = f"{service}:{operation}"
        try:
            method = getattr(self._client(service, read_s), xform_name(operation))
            found: dict[str, Any] = method(**parameters)
        except ClientError as error:
            raise self._refusal(ACTIONS.get(name, name), error.response) from None
        except BotoCoreError as error:
            raise self._unreachable(name, error) from None
        return found

    def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Call an operation; None where what it asks for is not there.

        Raises:
            CloudError: as `call`.
        """
        try:
            return self.call(service, operation, **parameters)
        except AwsRefusalError as error:
            if error.missing:
                return None
            raise

    def patiently(
        self, service: str, operation: str, *, until: Callable[[AwsRefusalError], bool],
        **parameters: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Call an operation, again for a minute while `until` says that a refusal may pass.

        Raises:
            CloudError: as `call`.
        """
        for _ in range(TRIES):
            try:
                return self.call(service, operation, **parameters)
            except AwsRefusalError as error:
                if not until(error):
                    raise
            self.sleep(WAIT_S)
        return self.call(service, operation, **parameters)

    def clean(self, text: str) -> str:
        """Return the text without credentials and other secrets."""
        for secret in (*self._keys(), *self.secrets):
            if secret and len(secret) >= SECRET_LENGTH_MIN:
                text = text.replace(secret, MASK)
        return masked(text)

    def read(self, body: Any, count: int | None = None) -> bytes:
        """Read an answer's body, or so many bytes of it.

        Raises:
            CloudError: the connection ends before the body does.
        """
        from botocore.exceptions import BotoCoreError

        try:
            return bytes(body.read(count))
        except BotoCoreError as error:
            raise self._unreachable("the rest of an answer", error) from None

    def _keys(self) -> tuple[str | None, ...]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self.session.get_credentials()
            keys = () if found is None else (found.access_key, found.secret_key, found.token)
        except (BotoCoreError, ClientError):  # nobody is signed in, so there is nothing to hide
            return ()
        return keys

    def _client(self, service: str, read_s: float | None) -> Any:
        from botocore.config import Config

        if (service, read_s) not in self._clients:
            options = {} if read_s is None else {"config": Config(read_timeout=read_s)}
            self._clients[service, read_s] = self.session.client(
                service, region_name=self.region, **options
            )
        return self._clients[service, read_s]

    def _refusal(self, action: str, response: Mapping[str, Any]) -> AwsRefusalError:
        error = response.get("Error", {})
        code, hint = str(error.get("Code", "unknown")), None
        if code in DENIED:
            hint = (
                f"allow {action} to whoever you are there; {POLICY}.json, which "
                "`rft package REWARD --policies DIR` writes, allows all that is needed"
            )
        elif code in STALE:
            hint = "sign in again (such as `aws sso login`), or give other credentials"
        return AwsRefusalError(
            code, action, found=self.clean(str(error.get("Message") or "no words")), hint=hint
        )

    def _unreachable(self, name: str, error: Exception) -> CloudError:
        return CloudError(
            f"can't ask AWS for {name}",
            where=self.region,
            found=self.clean(f"{type(error).__name__}: {error}"),
            hint="check credentials, profile and network; the same command again goes on from here",
        )


@dataclass(frozen=True)
class Identity:
    """Who asks."""

    account: str
    arn: str


def open_aws(region: str) -> Aws:
    """Return AWS as boto3 finds it: its credentials, profile and endpoints.

    Raises:
        CloudError: boto3 is not installed, or its profile can't be read.
    """
    try:
        import boto3
    except ModuleNotFoundError as error:
        raise CloudError(
            "boto3 is not installed",
            expected="the extra `aws`",
            hint="pip install 'bedrock-rft-sim[aws]'",
        ) from error
    from botocore.exceptions import BotoCoreError

    try:
        return Aws(boto3.Session(), region)
    except BotoCoreError as error:
        raise CloudError("boto3's settings can't be used", found=str(error)) from error


def identity(aws: Aws) -> Identity:
    """Return who asks.

    Raises:
        CloudError: there are no credentials, or they are no longer good.
    """
    found = aws.call("sts", "GetCallerIdentity")
    return Identity(str(found["Account"]), str(found["Arn"]))
