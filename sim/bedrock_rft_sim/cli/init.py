"""`rft init`: a complete recipe to begin with, from nothing or from a request that exists."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_flag, add_path, print_result
from bedrock_rft_sim.errors import RecipeError

if TYPE_CHECKING:
    from bedrock_rft_sim.contract.knobs import DialectName
    from bedrock_rft_sim.data import Inspection
    from bedrock_rft_sim.data.inspection import RuleFinding

EMBEDDED_MODEL = "tiny"
DIALECTS: dict[str, DialectName] = {"nova": "bedrock", "open-weight": "openai"}
HELP = "write a recipe to begin with: the request, and every key of local: explained"
DESCRIPTION = """Write a complete recipe, with comments. It asks nothing. From a request that
exists (--from), that request stays as it is."""
RESULT = "what was written"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    source = "a request, JSON or YAML, or a job on AWS: its ARN, its id, its folder under cloud/"
    add_path(verb, "--from", source, dest="request")
    words = "which API the request is for (default nova; with --from, the request's own)"
    verb.add_argument("--dialect", choices=DIALECTS, help=words)
    model = "tiny, a folder, a .gguf file, or a Hub id (default tiny)"
    verb.add_argument("--model", default="tiny", help=model)
    data = "training data: a .jsonl file, or problems or orders (default problems)"
    verb.add_argument("--data", default="problems", metavar="FILE", help=data)
    verb.add_argument("--validation", metavar="FILE", help="the same for validation")
    reward = "a shipped name, or a .py file, folder or .zip (default gsm8k)"
    verb.add_argument("--reward", default="gsm8k", help=reward)
    where = "the file to write (default recipe.yaml)"
    recipe = Path("recipe.yaml")
    verb.add_argument("-o", "--out", type=Path, default=recipe, metavar="FILE", help=where)
    add_flag(verb, "--force", "replace a file that exists")


def run(arguments: argparse.Namespace) -> int:
    """Write the recipe and say what comes next."""
    from bedrock_rft_sim.files import write_file
    from bedrock_rft_sim.recipe.template import blank_request, recipe_text, request_text

    out, source = arguments.out, arguments.request
    if source is not None and arguments.dialect is not None:
        arguments.parser.error("--dialect: the request of --from says it already")
    if out.exists() and not arguments.force:
        raise RecipeError(
            "the recipe is there already", where=str(out), hint="--force replaces it, --out FILE"
        )
    if source is None:
        dialect = DIALECTS[arguments.dialect or "nova"]
        request = blank_request(dialect, validates=arguments.validation is not None)
        title = "A recipe to begin with."
    else:
        request = request_text(_request(source), name=str(source))
        title = f"The request of {source.name}, and how it is rehearsed."
    stated, inspection = _stated(arguments), _inspected(arguments.data)
    name = None if source is None else str(source)
    prompts = None if inspection is None else inspection.valid
    text = recipe_text(request, stated, path=out, title=title, name=name, prompts=prompts)
    write_file(out, text, "write the recipe", kind=RecipeError, parents=True)
    refused = [] if inspection is None else _refused(inspection)
    found = {
        "recipe": str(out),
        "local": stated,
        "findings": [finding.as_json() for finding in refused],
    }
    file = shlex.quote(str(out))
    lines = [
        *(f"{finding}; rft check refuses it, as Bedrock would" for finding in refused),
        f"written  {out}, to be read and changed; then:",
        f"  rft check {file}",
        f"  rft run {file}",
    ]
    print_result(arguments, found, lines)
    return 0


def _inspected(data: str) -> Inspection | None:
    """Return what the rules say of a training file; None where none is there yet."""
    from bedrock_rft_sim.data import Inspection
    from bedrock_rft_sim.files import expanded
    from bedrock_rft_sim.recipe.shipped import BUILT_IN

    path = expanded(data)
    if data in BUILT_IN or not path.is_file():
        return None
    inspection = Inspection(str(path))
    inspection.inspect(path)
    return inspection


def _refused(inspection: Inspection) -> list[RuleFinding]:
    from bedrock_rft_sim.data import count_findings

    found = (*inspection.findings(), *count_findings([inspection]))
    return [finding for finding in found if finding.rule.severity == "error"]


def _request(source: Path) -> str:
    """Return a request from its file, or the one of a job, as Bedrock describes it."""
    from bedrock_rft_sim.cloud.from_job import names_a_job, request_from_job
    from bedrock_rft_sim.recipe.load import read_text

    if not source.is_file() and names_a_job(str(source)):
        return json.dumps(request_from_job(str(source)))
    return read_text(source, "request")


def _stated(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `local:` states; paths as seen from the recipe's folder."""
    from bedrock_rft_sim.files import expanded
    from bedrock_rft_sim.recipe.shipped import BUILT_IN, is_bare, shipped_rewards

    known = {EMBEDDED_MODEL, *BUILT_IN, *shipped_rewards()}

    def named(text: str, *, is_path: bool) -> str:
        is_there = expanded(text).exists() and text not in known
        if text.startswith("~") or not (is_there or is_path):
            return text
        if Path(text).is_absolute():
            return text
        path = os.path.relpath(text, arguments.out.parent)
        return path if path.startswith(".") or "/" in path else f"./{path}"

    chosen = {
        "trainingData": arguments.data,
        "validationData": arguments.validation,
        "reward": arguments.reward,
    }
    files = {name: text for name, text in chosen.items() if text is not None}
    return {
        "model": named(arguments.model, is_path=False),
        **{name: named(text, is_path=not is_bare(text)) for name, text in files.items()},
    }
