"""The process that makes one point: `rft run` without its summary, ended with the sweep.

Its standard input is a pipe from the sweep that never carries anything. When the sweep dies,
however it dies, the pipe ends, and the run stops after the step in progress with a checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from bedrock_rft_sim.errors import RehearsalError


def main() -> int:
    """Run the recipe, parent, name and `new` or `resume` given as arguments."""
    recipe, parent, name, how = sys.argv[1:]
    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.report import PageDuringRun
    from bedrock_rft_sim.train.run import rehearse

    try:
        rehearse(
            load_recipe(Path(recipe)),
            parent=parent,
            name=name,
            resume=how == "resume",
            observers=[PageDuringRun],
        )
    except RehearsalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _end_with_the_sweep() -> None:
    os.read(0, 1)  # not sys.stdin: its lock, held at exit, would abort the interpreter
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
