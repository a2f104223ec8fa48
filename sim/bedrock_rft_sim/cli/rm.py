"""`rft rm`: remove runs, after asking."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_run, agreed, print_result

HELP = "remove runs, after asking"
DESCRIPTION = """Remove run folders with all that is in them: answers, checkpoints, the model. A run
that a process is writing to is refused. Exit code 1: not every run was removed."""
RESULT = "what was removed"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_run(verb, "runs", nargs="+")
    add_flag(verb, "--yes", "do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Ask for each run, and remove it."""
    from bedrock_rft_sim.cli.ls import size
    from bedrock_rft_sim.runs.find import find_folder
    from bedrock_rft_sim.runs.folder import remove_run
    from bedrock_rft_sim.runs.listing import listed

    folders = list(dict.fromkeys(map(find_folder, arguments.runs)))
    removed = []
    for path in folders:
        one = listed(path)
        what = f"{path} ({one.status}, step {one.step}, {size(one.bytes)})"
        if arguments.yes or agreed(f"Remove {what}?"):
            remove_run(path)
            removed.append(str(path))
    lines = [f"removed {path}" for path in removed] or ["nothing was removed"]
    print_result(arguments, {"removed": removed}, lines)
    return 0 if len(removed) == len(folders) else EXIT_FAILED
