"""`rft export`: a run's model as an ordinary model folder, with a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from bedrock_rft_sim.cli.arguments import add_run, print_result
from bedrock_rft_sim.cli.terminal import say

HELP = "a run's model, adapters merged, as an ordinary folder with a card"
DESCRIPTION = """Write the trained model so that transformers, vLLM or llama.cpp's converter load it
as they load any other, with a card that names recipe and verdict. Of a run that did not come to
its end the newest whole checkpoint is taken."""
RESULT = "what was written"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_run(verb)
    out = "the new folder (default models/RUN)"
    verb.add_argument("-o", "--out", type=Path, metavar="DIR", help=out)


def run(arguments: argparse.Namespace) -> int:
    """Merge, save, and write the card."""
    from bedrock_rft_sim.engine.load import export_model, models_of_run
    from bedrock_rft_sim.engine.quiet import silence_for_models
    from bedrock_rft_sim.report.card import card
    from bedrock_rft_sim.report.page import Page
    from bedrock_rft_sim.runs import Run, find_run

    folder = find_run(arguments.run)
    out = arguments.out or Path("models") / folder.path.name
    base, tuned = models_of_run(Run.read(folder))
    silence_for_models(base, tuned)
    say(f"merging {tuned}")
    export_model(tuned, out, card=card(Page(folder).summary(), base=base, tuned=tuned))
    files = sorted(path.name for path in out.iterdir())
    result = {"folder": str(out), "from": tuned, "base": base, "files": files}
    print_result(arguments, result, [f"{out}: {', '.join(files)}"])
    return 0
