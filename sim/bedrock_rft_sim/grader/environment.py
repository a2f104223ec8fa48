"""What the handler's process can see: Lambda's variables and runtime, and nothing of this machine.

The user's own variables, home folder, credentials and installed packages stay out; credentials
come in only on request.
Requests for an instance's credentials are switched off, so that a handler on EC2 does not use the
machine's role unasked.

Source: AWS Lambda developer guide, "Using Lambda environment variables" and "Python runtimes".
"""

from __future__ import annotations

import importlib.util
import os
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bedrock_rft_sim.errors import HandlerError

RuntimeClient = Literal["awslambdaric", "stand-in"]
AWS_CLIENT_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
BOTO3_MODULES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
CREDENTIAL_FILES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}


def link_runtime(folder: Path, *, wanted: RuntimeClient | None = None) -> RuntimeClient:
    """Fill `folder` with links to the runtime client and boto3; says which client it will be."""
    found = {name: _module_path(name) for name in (*AWS_CLIENT_MODULES, *BOTO3_MODULES)}
    complete = all(found[name] for name in AWS_CLIENT_MODULES)
    client: RuntimeClient = wanted or ("awslambdaric" if complete else "stand-in")
    if client == "stand-in":
        found = {name: path for name, path in found.items() if name in BOTO3_MODULES}
        found["lambda_stand_in"] = Path(__file__).with_name("lambda_stand_in.py")
    elif not complete:
        raise HandlerError("AWS's runtime client is not installed", hint="pip install awslambdaric")
    folder.mkdir()
    for path in filter(None, found.values()):
        (folder / path.name).symlink_to(path)
    return client


def lambda_environment(
    *,
    function_arn: str,
    memory_mb: int,
    handler: str,
    task_root: Path,
    runtime_dir: Path,
    home: Path,
    own: Mapping[str, str],
    pass_aws_credentials: bool,
) -> dict[str, str]:
    """The whole environment of the child, except for the Runtime API's address."""
    region, name, version = _parse_arn(function_arn)
    today = datetime.now(tz=UTC)
    reserved = {
        "_HANDLER": handler,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{today:%Y/%m/%d}/[{version}]{uuid.uuid4().hex}",
        "AWS_REGION": region,
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "LAMBDA_TASK_ROOT": str(task_root),
    }
    _refuse_reserved(own, {*reserved, "AWS_LAMBDA_RUNTIME_API", "_X_AMZN_TRACE_ID"})
    general = {
        "HOME": str(home),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
    access = _aws_credentials() if pass_aws_credentials else {"AWS_EC2_METADATA_DISABLED": "true"}
    return {**general, **access, **own, **reserved}


def _module_path(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _parse_arn(function_arn: str) -> tuple[str, str, str]:
    """Region, function name and version; a function without a qualifier runs as $LATEST."""
    parts = function_arn.split(":")
    if len(parts) < 7 or parts[2] != "lambda":  # noqa: PLR2004 - arn:aws:lambda:R:A:function:name
        raise HandlerError(
            "the function's ARN can't be read",
            expected="arn:aws:lambda:<region>:<account>:function:<name>",
            found=repr(function_arn),
        )
    return parts[3], parts[6], parts[7] if len(parts) > 7 else "$LATEST"  # noqa: PLR2004


def _refuse_reserved(own: Mapping[str, str], reserved: set[str]) -> None:
    taken = sorted(reserved & own.keys())
    if taken:
        raise HandlerError(
            "the environment sets variables that Lambda reserves",
            where="local.lambda.environment",
            found=", ".join(taken),
            hint="Lambda sets these itself and refuses a function that does",
        )


def _aws_credentials() -> dict[str, str]:
    passed = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
    for name, default in CREDENTIAL_FILES.items():
        passed[name] = os.environ.get(name, str(Path(default).expanduser()))
    return passed
