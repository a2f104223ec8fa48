"""Hold a model against a recipe before it is loaded: its tokenizer and template, nothing else.

A model can be fine and the recipe too, and the two not fit: what the reward reads may be a special
token, which no answer's text keeps; a turn may end in what does not end an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.data.tokens import ChatTokenizer, end_tokens, model_config
from bedrock_rft_sim.diagnosis.finding import Diagnostic, Finding
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.fault_search import Broken
from bedrock_rft_sim.grader.good_replies import grade_profile, known_replies
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.grader.samples import answered
from bedrock_rft_sim.recipe import Recipe

ROWS = 8
EXPERTS = {"num_experts", "num_local_experts", "n_routed_experts"}
"""By which a configuration shows that a model is a mixture of experts."""
THINK, THOUGHT = "<think>", "</think>"

READ_BACK = Diagnostic(
    "answers survive the tokenizer",
    "Let the prompt and the reward use another marker, or take another model: the text of an "
    "answer has no special tokens.",
)
TURN_END = Diagnostic(
    "the turn's end ends the answer",
    "Take the instruction-tuned model, or add the token to eos_token_id in the model's "
    "generation_config.json.",
)
THINKING = Diagnostic(
    "thinking in the prompt",
    "Where the template knows it, set local.chatTemplateKwargs: {enable_thinking: false}; else "
    "leave room in inferenceMaxTokens, and let the reward read what stands behind </think>.",
)


def diagnose_model(
    recipe: Recipe,
    rows: Sequence[Row],
    chat: ChatTokenizer,
    replies: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Return what the first rows show; `replies` are good replies by row id.

    Raises:
        RecipeError: the model has no end token.
        GraderError: the reward can't be started.
    """
    rows = rows[:ROWS]
    ends = end_tokens(recipe.model, chat)
    options = plan.template_options(recipe)
    return (
        _read_back(recipe, rows, chat, replies),
        _turn_end(rows[0], chat, ends, options),
        _thinking(chat.render(rows[0].messages, **options)),
    )


def lora_odds(recipe: Recipe) -> str | None:
    """Return which layers LoRA leaves out, or takes, besides the linear ones; None for none.

    Only a mixture of experts has such; counting them takes the libraries, though no weights.

    Raises:
        TrainingError: the configuration can't be loaded.
    """
    if not EXPERTS & model_config(recipe.model).keys():
        return None
    from bedrock_rft_sim.engine.lora import adapted_of

    found = adapted_of(recipe.model, recipe.settings)
    return None if found is None else found.odds


def _read_back(
    recipe: Recipe, rows: Sequence[Row], chat: ChatTokenizer, replies: Mapping[str, str] | None
) -> Finding:
    """Grade good replies as written and as they come back from the tokenizer."""
    known = [
        (row, reply, chat.decode(chat.encode(reply))) for row, reply in known_replies(rows, replies)
    ]
    changed = [each for each in known if each[1] != each[2]]
    if changed:
        samples = [
            answered(row, text, f"{row.id}#{form}")
            for row, *texts in changed
            for form, text in enumerate(texts)
        ]
        outcomes = grade_profile(reward_of(recipe).once(), samples).outcomes
        scores = [None if isinstance(each, Broken) else each.score for each in outcomes]
        pairs = zip(changed, scores[::2], scores[1::2], strict=True)
        lost = [(*each, before, after) for each, before, after in pairs if _is_less(after, before)]
        if lost:
            row, reply, _, before, after = lost[0]
            fallen = "a failure" if after is None else f"{after:g}"
            says = (
                f"{len(lost)} of {len(known)} good replies lose their score when the tokenizer has "
                f"written and read them: {row.id} falls from {before:g} to "
                f"{fallen}{_without(chat.vanishing(reply))}."
            )
            return READ_BACK.fires("problem", says, {"lost": len(lost), "replies": len(known)})
    spelled = list(dict.fromkeys(_spelled(rows, chat)))
    if spelled:
        says = f"The prompts spell special tokens{_without(spelled)} in an answer's text."
        return READ_BACK.fires("warning", says, {"tokens": len(spelled)})
    return READ_BACK.clear("Good replies come back from the tokenizer as they were.", {})


def _is_less(after: float | None, before: float | None) -> bool:
    return before is not None and (after is None or after < before)


def _without(tokens: Sequence[str]) -> str:
    return f"; {', '.join(tokens)} {'is' if len(tokens) == 1 else 'are'} lost" if tokens else ""


def _spelled(rows: Sequence[Row], chat: ChatTokenizer) -> Iterator[str]:
    for row in rows:
        for message in row.messages:
            content = message["content"]
            texts = [content] if isinstance(content, str) else [part["text"] for part in content]
            for text in texts:
                yield from chat.vanishing(text)


def _turn_end(
    row: Row, chat: ChatTokenizer, ends: Sequence[str], options: Mapping[str, Any]
) -> Finding:
    try:
        written = chat.turn_end(row.messages, **options)
    except DataError as error:
        return TURN_END.unknown(f"{error.what}, with an answer behind them: {error.found}.")
    if any(end in written for end in ends):
        return TURN_END.clear(f"A turn ends with {written.strip()}, which ends an answer.", {})
    known = ", ".join(ends)
    if not written.strip():
        says = f"The chat template writes nothing behind a turn; answers end with {known}."
        return TURN_END.fires("note", says, {})
    says = (
        f"The chat template ends a turn with {written.strip()!r}, which is no end token of the "
        f"model ({known}): an answer that ends so runs on to inferenceMaxTokens."
    )
    return TURN_END.fires("problem", says, {})


def _thinking(prompt: str) -> Finding:
    if prompt.rfind(THINK) <= prompt.rfind(THOUGHT):
        return THINKING.clear("The prompt opens no thinking.", {})
    says = f"The chat template opens {THINK} in the prompt, so answers begin inside of it."
    return THINKING.fires("note", says, {})
