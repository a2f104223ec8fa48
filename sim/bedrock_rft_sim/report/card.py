"""The card of an exported model: what it was trained from, by which recipe, and what was found."""

from __future__ import annotations

import json
import re
from pathlib import PurePath

from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.report.page import RunSummary
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.runs.listing import REWARD

HASHES = ("recipe_hash", "reward_hash", "data_hash", "git_revision", "seed")


def card(summary: RunSummary, *, base: str, tuned: str) -> str:
    """Return the card in Markdown, with the fields that model hubs read at its head.

    It may be published: a path of this machine is named by its last part alone.
    """
    run = summary.run
    rewards = [line[REWARD] for line in run.trained if line[REWARD] is not None]
    course = f"{rewards[0]:.3f} -> {rewards[-1]:.3f}" if rewards else "unknown"
    text = run.folder.recipe.read_text(encoding="utf-8") if run.folder.recipe.is_file() else ""
    fence = "`" * max(3, *(len(each) + 1 for each in re.findall("`+", text)), 3)
    facts = [f"- {name}: `{run.record[name]}`" for name in HASHES if run.record.get(name)]
    findings = [
        f"- {each.severity}: {each.rule}: {visible(each.says)}" for each in fired(summary.verdicts)
    ]
    lines = [
        "---",
        f"base_model: {json.dumps(_last_part(base))}",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "---",
        f"# {visible(run.folder.name)}",
        "",
        "Trained by `rft run` (GRPO), a local rehearsal of Amazon Bedrock RFT:",
        "the local stand-in, not the model that Bedrock trains.",
        "",
        f"- run: {run.status}, step {run.last_step}; training reward {course}",
        f"- base model: {visible(base)}",
        f"- weights: {visible(_last_part(tuned))}, adapters merged, float32",
        *facts,
        "",
        "## Verdict",
        "",
        visible(summary.headline),
        "",
        *findings,
        "",
        "## Recipe",
        "",
        f"{fence}yaml",
        text.rstrip("\n"),
        fence,
    ]
    text = "\n".join(lines) + "\n"
    for path in _paths(run, base, tuned):
        text = text.replace(path, _last_part(path))
    return text


def _paths(run: Run, *models: str) -> list[str]:
    """Return the paths of this machine that the run or its recipe names, longest first."""
    local = [entry.get("value") for entry in (run.resolved.get("local") or {}).values()]
    listed = [each for value in local if isinstance(value, list) for each in value]
    folder = str(run.folder.path.absolute())
    named = {each for each in (*local, *listed, *models, folder) if isinstance(each, str)}
    return sorted((each for each in named if each.startswith(("/", "~"))), key=len, reverse=True)


def _last_part(name: str) -> str:
    """Return a path's last part; a model's own name, with or without its owner, as it is."""
    return PurePath(name).name if PurePath(name).is_absolute() or name.startswith("~") else name
