"""What Lambda takes as a function's environment variables: names, reserved names, 4 KB in all.

Sources: AWS Lambda developer guide, "Working with Lambda environment variables" (names, reserved
names) and quotas (4 KB); Lambda's service model (the pattern). Assumed: the 4 KB are measured as
JSON, as the text of Lambda's error shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
BYTES_MAX: Final = 4096
SHOWN: Final = 60
RESERVED: Final = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VariableFault:
    """Why Lambda would refuse a function's variables; no value is shown, it may be a secret."""

    what: str
    expected: str
    found: str
    hint: str | None = None


def fault_of_variables(variables: Mapping[str, str]) -> VariableFault | None:
    """Return what is wrong with a function's environment variables; None where nothing is."""
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        return VariableFault(
            "the environment sets variables that Lambda reserves",
            "names that Lambda does not set itself",
            ", ".join(reserved),
            "Lambda sets these itself and refuses a function that does",
        )
    bad = [name for name in variables if not NAME.fullmatch(name)]
    if bad:
        shown = repr(bad[0] if len(bad[0]) <= SHOWN else f"{bad[0][:SHOWN]}…")
        expected = f"names of at least two characters that match {NAME.pattern}"
        return VariableFault("Lambda does not take an environment variable's name", expected, shown)
    unfit = [name for name, value in variables.items() if "\0" in value or not _is_utf8(value)]
    if unfit:
        expected = "values in UTF-8 without NUL"
        words = "an environment variable's value can't be set"
        return VariableFault(words, expected, f"the value of {unfit[0]}")
    size = len(json.dumps(dict(variables), ensure_ascii=False, separators=(",", ":")).encode())
    if size > BYTES_MAX:
        return VariableFault(
            "the environment variables are larger than Lambda takes",
            f"at most {BYTES_MAX:,} bytes in all, names and values as JSON",
            f"{size:,} bytes",
            "put what is large into a file of the reward's folder",
        )
    return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
