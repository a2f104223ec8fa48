"""The card of an exported model: what it was trained from, by which recipe, and what was found."""

from __future__ import annotations

import json
import re

from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.report.page import RunSummary
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs.listing import REWARD

HASHES = ("recipe_hash", "reward_hash", "data_hash", "git_revision", "seed")


def card(summary: RunSummary, *, base: str, tuned: str) -> str:
    """Return the card in Markdown, with the fields that model hubs read at its head."""
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
        f"base_model: {json.dumps(base)}",
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
        f"- weights: {visible(tuned)}, adapters merged, float32",
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
    return "\n".join(lines) + "\n"
