"""Render a chat template once in a process of its own, which may take little time and memory.

Templates come from model repositories. One that never ends, calls itself or makes gigabytes would
otherwise do so here. The trial has one short question; what a template does only with longer rows
is bounded by what `tokens` checks of each prompt.

Run as a process it reads `{"template": …, "messages": …}` from standard input, and ends with an
exit code that says what happened.
Sources: POSIX (`setrlimit`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from typing import Final

TRIAL_S: Final = 3
"""Of the processor; it starts in a few tenths."""
PATIENCE: Final = 3
"""Times as long by the clock, on a busy machine."""
TRIAL_BYTES: Final = 1024**3
RENDERED_MAX: Final = 10_000_000
"""Characters of one prompt; the longest context of any model is a few million tokens."""
QUESTION: Final = ({"role": "user", "content": "What is 2 + 3?"},)
TOO_MUCH_MEMORY, TOO_LONG = 3, 4


@lru_cache(maxsize=8)
def fault_of(template: str) -> str | None:
    """Return what is wrong with a template that must not be rendered here; None of any other.

    That it refuses the question is no fault.
    """
    here = os.pathsep.join(path for path in sys.path if path)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps({"template": template, "messages": QUESTION}).encode(),
            env={**os.environ, "PYTHONPATH": here},
            timeout=PATIENCE * TRIAL_S,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a chat template that takes longer than {TRIAL_S} s for one short question"
    if ended.returncode < 0:  # a signal's, such as that of the processor's limit
        return f"a chat template that takes longer than {TRIAL_S} s or crashes"
    return {
        TOO_MUCH_MEMORY: f"a chat template that takes more than {TRIAL_BYTES // 1024**2} MB",
        TOO_LONG: f"a chat template that makes more than {RENDERED_MAX:,} characters",
    }.get(ended.returncode)


def main() -> int:
    """Render what standard input holds."""
    from bedrock_rft_sim.data.tokens import environment

    _limit()
    given = json.load(sys.stdin)
    try:
        template = environment().from_string(given["template"])
        text = template.render(messages=given["messages"], add_generation_prompt=True)
    except MemoryError:
        return TOO_MUCH_MEMORY
    except Exception:  # noqa: BLE001 - whoever renders it for a row says what it is
        return 0
    return TOO_LONG if len(text) > RENDERED_MAX else 0


def _limit() -> None:
    if sys.platform == "win32":  # the time is limited there, the memory is not
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (TRIAL_S, TRIAL_S))
    resource.setrlimit(resource.RLIMIT_AS, (TRIAL_BYTES, TRIAL_BYTES))


if __name__ == "__main__":
    sys.exit(main())
