"""`rft serve`: the local endpoint, for unchanged boto3 and OpenAI clients."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.cli.arguments import LAST_PORT, add_flag, add_number, add_path
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.errors import RecipeError, RehearsalError

if TYPE_CHECKING:
    import uvicorn

PORT: Final = 4599
PENDING_S: Final = 2.0
"""On AWS, seconds for a function and minutes for a deployment."""
TOKEN_VARIABLE: Final = "RFT_TOKEN"  # noqa: S105 - the variable's name
BEARER: Final = "AWS_BEARER_TOKEN_BEDROCK"
NEEDED: Final = ("starlette", "uvicorn", "moto", "flask", "multipart")
TELLS = True
HELP = "a local endpoint for boto3 and the OpenAI SDK, with real training behind it"
DESCRIPTION = """Serve until Ctrl-C. Jobs, models, functions and buckets are kept under --root; a
job that is cut off goes on with the next start. Signatures are not verified."""
EXAMPLE = """A file for --mapping names stand-ins and their limits, each key optional:

  default: {model: tiny, maxSteps: 70, limits: {maxPromptLength: 2048, inferenceMaxTokens: 96}}
  models:
    openai.gpt-oss-20b: {model: Qwen/Qwen3-0.6B, maxSteps: 200, overrides: {learningRate: 1e-5}}
    my.own-judge: {model: ./judge-folder}
"""
RESULT = "the address"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.epilog, verb.formatter_class = EXAMPLE, argparse.RawDescriptionHelpFormatter
    kept = "where everything is kept (default .rft)"
    add_path(verb, "--root", kept, metavar="DIR", default=Path(".rft"))
    everywhere = "with 0.0.0.0, clients may use any name and address of this machine"
    host = f"address to listen on (default loopback; {everywhere})"
    verb.add_argument("--host", default="127.0.0.1", help=host)
    port = f"port (default {PORT}; 0 takes a free one)"
    add_number(verb, "--port", port, 0, LAST_PORT, metavar="PORT", default=PORT)
    add_number(verb, "--parallel", "training jobs at a time (default 1)", default=1)
    stand_in = "what stands behind every model id: tiny (default), a folder, a GGUF file, a Hub id"
    verb.add_argument("--model", metavar="M", help=stand_in)
    add_path(verb, "--mapping", "YAML: which local model stands behind each model id; see below")
    pending = (
        f"seconds that functions and deployments are Pending, Creating (default {PENDING_S:g})"
    )
    verb.add_argument("--pending", type=float, default=PENDING_S, metavar="SECONDS", help=pending)
    add_path(verb, "--faults", "YAML: which calls fail on purpose, and how")
    verb.add_argument("--region", default="us-east-1", help="Region of unsigned requests")
    token = (
        "environment variable with the token that clients must show "
        f"(default {TOKEN_VARIABLE}); without it the endpoint makes one and keeps it under --root"
    )
    verb.add_argument("--token-env", default=TOKEN_VARIABLE, metavar="NAME", help=token)
    nobody = "ask for no token: every user of this machine may then run code as you"
    add_flag(verb, "--no-token", nobody)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the process is told to stop."""
    _demand_packages()
    from bedrock_rft_sim.server.faults import read_faults
    from bedrock_rft_sim.server.mapping import ModelMapping, read_mapping
    from bedrock_rft_sim.server.running import bind, is_loopback, server_of, url_of
    from bedrock_rft_sim.server.state import ServerState

    if arguments.no_token and not is_loopback(arguments.host):
        raise RecipeError(
            "an address that others can reach needs a token",
            where=f"--host {arguments.host}",
            found="--no-token",
            hint="leave --no-token out, or --host",
        )
    stated = os.environ.get(arguments.token_env)
    if not arguments.pending >= 0:
        raise RecipeError(
            "nothing can be pending for less than no time",
            where="--pending",
            expected="0 or more seconds",
            found=f"{arguments.pending:g}",
        )
    mapping = read_mapping(arguments.mapping) if arguments.mapping else ModelMapping()
    mapping = mapping.with_default(arguments.model) if arguments.model else mapping
    faults = read_faults(arguments.faults) if arguments.faults else None
    listener = bind(arguments.host, arguments.port)
    options: dict[str, Any] = {
        "url": url_of(listener),
        "parallel": arguments.parallel,
        "region": arguments.region,
    }
    options |= {"mapping": mapping, "faults": faults, "pending_s": arguments.pending}
    if not arguments.no_token:
        options |= {"token": stated or None, "makes_token": True}
    with listener, ServerState(arguments.root, **options) as state:
        server = server_of(state)
        with _ended_by_a_signal(server):
            listener.listen()  # who connects before the loop runs is answered a moment later
            _announce(arguments, url_of(listener), token=state.session.token)
            # Not a daemon: one that is still importing when the process ends may abort it.
            threading.Thread(target=state.s3.warm).start()
            server.run(sockets=[listener])
        say("rft: stopping; what runs goes on with the next start")
    return 0


@contextmanager
def _ended_by_a_signal(server: uvicorn.Server) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the server, however early they come, so that it closes its jobs.

    Nothing is raised: an exception that comes in the middle of an import can be lost, and with it
    the signal.
    """

    def end(_number: int, _frame: object) -> None:
        server.should_exit = True

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _demand_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RehearsalError(
            "the local endpoint's packages are not installed",
            found="no " + ", ".join(missing),
            hint="pip install 'bedrock-rft-sim[serve]'",
        )


def _announce(arguments: argparse.Namespace, url: str, *, token: str | None) -> None:
    """Print how to use the endpoint; a token of the user's own is named, never printed."""
    is_stated = token is not None and bool(os.environ.get(arguments.token_env))
    key = f'"${arguments.token_env}"' if is_stated else token or "local"
    variables = exports(url, region=arguments.region, key=key)
    if arguments.json:
        found = {"url": url, "root": str(arguments.root.resolve()), "environment": variables}
        print(json.dumps(found), flush=True)
        return
    print(f"serving {arguments.root.resolve()} at {url}; Ctrl-C stops\n")
    for name, value in variables.items():
        print(f"export {name}={value}")
    if BEARER in os.environ:
        print(f"unset {BEARER}  # boto3 sends it over HTTPS only")
    # After the #, where no request and no log shows it.
    asks = ", which asks for the token" if is_stated else f"#token={token}" if token else ""
    print(f"\nconsole: {url}/console{asks}\n", flush=True)
    if arguments.no_token:
        words = "no token is asked for: every user of this machine may run code as you"
        say(f"rft: {words}")


def exports(url: str, *, region: str, key: str = "local") -> dict[str, str]:
    """Return the variables to set; `key` is the token as a shell reads it, anything without one."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,  # of every SDK but boto3
        "AWS_DEFAULT_REGION": region,
        "OPENAI_BASE_URL": f"{url}/v1",
        "AWS_BEDROCK_BASE_URL": f"{url}/v1",  # of the OpenAI SDK's own Bedrock client
        "OPENAI_API_KEY": key,
    }
