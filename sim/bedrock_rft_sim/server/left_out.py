"""What a job leaves out of its training file, counted when it is created.

Only so much text is tokenized that a client does not wait for it: of a long file every n-th prompt,
and the message says "about". The run counts all and says it in an event.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from bedrock_rft_sim.data.plan import dropped_words, source_rows, template_options
from bedrock_rft_sim.data.row import Row
from bedrock_rft_sim.data.selection import split_rows
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.errors import DataError, RecipeError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.stats.shares import percent, percentile

LOOK_BYTES: Final = 2_000_000
"""Of rendered prompts: two seconds of tokenizing on one core."""
WARN_ABOVE: Final = 0.1
REFUSE_ABOVE: Final = 0.9


def data_remarks(recipe: Recipe) -> list[str]:
    """Say what is held out or dropped; data that can't be read are left to the job, which fails.

    Raises:
        RecipeError: more than nine tenths of the prompts are too long, or there is no tokenizer.
    """
    try:
        rows, held_out = _training_rows(recipe)
        lengths, about = _lengths(recipe, rows)
    except DataError:
        return []
    found = []
    if held_out:
        records = len(rows) + held_out
        found.append(f"rehearsal: {held_out:,} of {records:,} records are held out for validation")
    limit = recipe.settings.max_prompt_length
    share = sum(length > limit for length in lengths) / len(lengths)
    if share > REFUSE_ABOVE:
        raise _refusal(recipe, lengths, share)
    if share:
        said = dropped_words(recipe.settings, round(share * len(rows)), len(rows))
        warning = "warning: " if share > WARN_ABOVE else ""
        found.append(f"rehearsal: {warning}{'about ' if about else ''}{said}")
    return found


def _training_rows(recipe: Recipe) -> tuple[list[Row], int]:
    """Return the rows to train on, and how many are held out of the training file."""
    rows = list(source_rows(recipe, "train"))
    fraction = recipe.settings.validation_split
    if fraction is None or next(source_rows(recipe, "validation"), None) is not None:
        return rows, 0
    kept, held_out = split_rows(rows, fraction, recipe.settings.validation_split_seed)
    return kept, len(held_out)


def _lengths(recipe: Recipe, rows: list[Row]) -> tuple[list[int], bool]:
    """Return prompt lengths in tokens, and whether they are those of some rows only."""
    tokenizer, options = load_tokenizer(recipe.model), template_options(recipe)
    texts = [tokenizer.render(row.messages, **options) for row in rows]
    stride = max(1, ceil(sum(len(text) for text in texts) / LOOK_BYTES))
    return tokenizer.lengths(texts[::stride]), stride > 1


def _refusal(recipe: Recipe, lengths: list[int], share: float) -> RecipeError:
    enough = percentile(lengths, REFUSE_ABOVE)
    limit = recipe.settings.max_prompt_length
    if "maxPromptLength" in recipe.overrides:
        example = f"default: {{limits: {{maxPromptLength: {enough}}}}}"
        hint = f"start rft serve with --mapping FILE, a YAML that says `{example}`"
    else:
        hint = f"raise maxPromptLength in the request to {enough}"
    return RecipeError(
        "nearly all prompts would be dropped, because they are too long for this rehearsal",
        expected=f"prompts of at most {limit:,} tokens of {recipe.local.model}",
        found=f"{percent(share)} of the prompts are longer, half have {percentile(lengths, 0.5):,} "
        "tokens or more",
        hint=hint,
    )
