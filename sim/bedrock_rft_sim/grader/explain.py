"""Why a handler failed and what to do about it, from its error and from what it printed.

Lambda's own words say only that a process ended; its last lines say why.
"""

from __future__ import annotations

import re

from bedrock_rft_sim.grader.container import EXITED, TIMED_OUT, Fault, Outcome, visible
from bedrock_rft_sim.grader.package import Package

HINTS = {
    "Runtime.ImportModuleError": (
        "Lambda has the standard library and boto3 (pip install 'bedrock-rft-sim[aws]' here); "
        "anything else must lie in the reward's folder, and the folder be given"
    ),
    "Runtime.HandlerNotFound": "define lambda_handler(event, context) or name the handler",
    TIMED_OUT: "raise local.lambda.timeout (Lambda's default is 3 s) or make the handler faster",
    EXITED: "the process ended while it graded: sys.exit, a crash, or too little memory",
    "MemoryError": "raise local.lambda.memorySize",
}
NO_CREDENTIALS = (
    re.compile("NoCredentialsError|Unable to locate credentials|NoAuthTokenError"),
    "the handler asks AWS without credentials: set local.lambda.passAwsCredentials: true in the "
    "recipe, or give --pass-aws-credentials, to let it use those of this machine",
)
CAUSES = (
    (
        re.compile(r"\[Errno 30\]"),
        "on Lambda only /tmp can be written: write there, and not beside the code, to the home "
        "folder or to the working folder",
    ),
    (
        re.compile(r"\[Errno 38\]|\[Errno 2\].*/dev/shm"),
        "Lambda has no /dev/shm, so multiprocessing's locks, queues and pools do not work there: "
        "use multiprocessing.Process with Pipe, or threads (concurrent.futures)",
    ),
    NO_CREDENTIALS,
)
"""What an error or the handler's lines say, and what it means on Lambda."""
MISSING = re.compile(r"No module named '([^'.]+)|No such file or directory: '(?:[^']*/)?([^'/]+)'")
OURS = ("lambda_hooks.py", "launcher.py")
"""Files of ours that stand in a trace of a handler's, and say nothing about it."""
SHOWN_FRAMES = 3
SHOWN_LINES = 6
SHOWN_CHARS = 1000
PRINTED_CHARS = 300


def found_in(outcome: Outcome) -> str | None:
    """Return an error's innermost frames, or the last lines of a process that ended or hung."""
    assert isinstance(outcome.answer, Fault)
    if outcome.answer.error_type not in (EXITED, TIMED_OUT):
        frames = [f for f in outcome.answer.stack_trace if not any(name in f for name in OURS)]
        return "".join(frames[-SHOWN_FRAMES:]).strip() or None
    lines = [line.rstrip() for line in _printed(outcome).splitlines() if line.strip()]
    last = "\n".join(lines[-SHOWN_LINES:])[-SHOWN_CHARS:]
    return f"the handler's last lines:\n{last}" if last else None


def hint_for(outcome: Outcome, package: Package) -> str | None:
    """Return what to do about a fault; None where nothing is known."""
    assert isinstance(outcome.answer, Fault)
    fault = outcome.answer
    said = "\n".join([f"{fault.error_type}: {fault.message}", *fault.stack_trace])
    everything = f"{said}\n{_printed(outcome)}"
    return (
        _left_behind(everything, package)
        or _hidden(everything, package)
        or next((hint for mark, hint in CAUSES if mark.search(said)), None)
        or next((hint for mark, hint in CAUSES if mark.search(everything)), None)
        or HINTS.get(fault.error_type)
    )


def warnings_of(outcome: Outcome) -> tuple[str, ...]:
    """Return what the lines of a handler that graded all the same say about credentials."""
    mark, hint = NO_CREDENTIALS
    return (hint,) if mark.search(outcome.printed.decode("utf-8", "replace")) else ()


def last_printed(outcome: Outcome) -> str:
    """Return the last line that the handler printed; empty where it printed none."""
    lines = outcome.printed.decode("utf-8", "replace").split("\n")
    return visible(next((line for line in reversed(lines) if line.strip()), ""))[:PRINTED_CHARS]


def _left_behind(said: str, package: Package) -> str | None:
    for module, file in MISSING.findall(said):
        beside = package.left_behind(module or file)
        if beside is not None and package.alone is not None:
            return (
                f"{beside} lies beside {package.alone.name}, but a single file is alone on "
                f"Lambda: give the folder {package.alone.parent} instead, with the handler "
                f"{package.handler}"
            )
    return None


def _hidden(said: str, package: Package) -> str | None:
    names = [name for name in package.hides if _is_named(name, said)]
    if not names:
        return None
    return (
        f"{', '.join(names)} in the reward hides Python's own module of that name from every "
        "import, also inside the standard library: rename it"
    )


def _is_named(file: str, said: str) -> bool:
    stem = file.removesuffix(".py")
    return f"/{file}" in said or f"'{stem}'" in said or f"'{stem}." in said


def _printed(outcome: Outcome) -> str:
    return visible(outcome.printed.decode("utf-8", "replace").replace("\r", "\n"))
