"""What a function's process finds: Lambda's variables and runtime, and nothing of this machine.

The user's own variables, home folder, credentials and installed packages stay out; credentials
come in only on request.
Requests for an instance's credentials are switched off, so that a handler on EC2 does not use the
machine's role unasked.

Source: AWS Lambda developer guide, "Using Lambda environment variables" and "Python runtimes".
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from bedrock_rft_sim.contract.lambda_variables import fault_of_variables
from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.container import Confinement, Function
from bedrock_rft_sim.grader.package import Package
from bedrock_rft_sim.grader.reward import RewardFile

RuntimeClient = Literal["awslambdaric", "stand-in"]
AWS_CLIENT_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
BOTO3_MODULES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
PROBE_S = 30
HOME, TASK, RUNTIME = "/var/sbx_user1051", "/var/task", "/var/runtime"
"""What a handler sees in namespaces; see lambda_namespaces, which can't be imported here."""
GENERAL = {"LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": ":UTC"}
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
ENDPOINT = "AWS_ENDPOINT_URL"
"""Credentials are those of whatever is there, AWS itself or an endpoint like it."""
NO_ACCESS = {"AWS_EC2_METADATA_DISABLED": "true"}
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


@cache
def confinement() -> Confinement:
    """Return what closes a function's process in on this machine: the kernel, or hooks in Python.

    Namespaces need Linux 5.12, a right that some distributions keep from ordinary users, and
    Python and this package elsewhere than below /tmp, which they replace.
    """
    if sys.platform != "linux":
        return "hooks"
    here = Path(__file__).parent
    modules = map(_module_path, (*AWS_CLIENT_MODULES, *BOTO3_MODULES))
    needed = [str(path) for path in (here, *modules) if path]
    probe = here / "lambda_namespaces.py"
    command = [sys.executable, "-I", "-S", "-B", str(probe), str(here), str(here), *needed]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return "hooks"
    return "namespaces" if done.returncode == 0 else "hooks"


def deploy(
    reward: RewardFile, package: Package, scratch: Path, *, client: RuntimeClient | None = None
) -> Function:
    """Return the function that a container runs: code, runtime and environment, under `scratch`."""
    runtime_dir, closed_in = scratch / "runtime", confinement()
    chosen = link_runtime(runtime_dir, wanted=client)
    if closed_in == "namespaces":
        seen = {"HOME": HOME, "LAMBDA_RUNTIME_DIR": RUNTIME, "LAMBDA_TASK_ROOT": TASK}
    else:
        home = scratch / "home"
        home.mkdir(mode=0o555)
        _take_write_permission(package.root)
        seen = {
            "HOME": str(home),
            "LAMBDA_RUNTIME_DIR": str(runtime_dir),
            "LAMBDA_TASK_ROOT": str(package.root),
        }
    reserved = _reserved(reward.function_arn) | {
        "_HANDLER": package.handler,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(reward.limits.memory_mb),
    }
    _refuse_variables(reward.environment)
    return Function(
        client=chosen,
        runtime_dir=runtime_dir,
        task_root=package.root,
        handler=package.handler,
        function_arn=reward.function_arn,
        environment={**GENERAL, **seen, **_access(reward), **reward.environment, **reserved},
        confinement=closed_in,
        limits=reward.limits,
    )


def _take_write_permission(root: Path) -> None:
    """Keep from the code what hooks do not see; in namespaces it would give errno 13, not 30."""
    for path in (root, *root.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)


def _reserved(function_arn: str) -> dict[str, str]:
    """Return the variables that Lambda sets for a function of that name."""
    region, name, version = _parse_arn(function_arn)
    today = datetime.now(tz=UTC)
    return {
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{today:%Y/%m/%d}/[{version}]{uuid.uuid4().hex}",
        "AWS_REGION": region,
    }


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


def _refuse_variables(own: Mapping[str, str]) -> None:
    fault = fault_of_variables(own)
    if fault is not None:
        raise HandlerError(
            fault.what,
            where="the function's environment variables",
            expected=fault.expected,
            found=fault.found,
            hint=fault.hint,
        )


def _access(reward: RewardFile) -> Mapping[str, str]:
    """Return where AWS is for the handler, and who it is there."""
    if reward.access is not None:
        return reward.access
    return _aws_credentials() if reward.pass_aws_credentials else NO_ACCESS


def _aws_credentials() -> dict[str, str]:
    names = (*CREDENTIALS, ENDPOINT)
    passed = {name: os.environ[name] for name in names if name in os.environ}
    for name, default in CREDENTIAL_FILES.items():
        passed[name] = os.environ.get(name, str(Path(default).expanduser()))
    return passed
