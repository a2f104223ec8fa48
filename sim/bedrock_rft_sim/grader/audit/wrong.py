"""Answers that must not score: what a model writes when it does not know.

Each function gives the text for one subject, or None where it can't be phrased for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bedrock_rft_sim.grader.audit.subjects import Subject, change_digit

Phrase = Callable[[Subject], str | None]
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I do not have enough information to answer this question.",
    "As an AI language model, I am unable to give an answer.",
)


def empty(subject: Subject) -> str:
    """Nothing at all, or white space only."""
    return ("", " \n\t ")[subject.turn % 2]


def refusal(subject: Subject) -> str:
    """A polite no."""
    return REFUSALS[subject.turn % len(REFUSALS)]


def truncated(subject: Subject) -> str | None:
    """The good reply up to where its value first stands; its first half where it has none."""
    if subject.value is None:
        return subject.good[: len(subject.good) // 2] or None
    before = subject.good[: subject.good.find(subject.value)]
    return before if before.strip() else None


def wrong_value(subject: Subject) -> str | None:
    """The good reply with a value that is far off."""
    return None if subject.far is None else subject.wrong


def changed_digit(subject: Subject) -> str | None:
    """The good reply with one digit of its value changed."""
    changed = None if subject.value is None else change_digit(subject.value, subject.turn)
    return None if changed is None else subject.with_value(changed)


def other_answer(subject: Subject) -> str | None:
    """The good reply of a row with another answer."""
    return subject.other


def prompt_echo(subject: Subject) -> str | None:
    """The last thing the user said."""
    said = [message for message in subject.row.messages if message.get("role") == "user"]
    content = said[-1].get("content") if said else None
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content


WRONG: Mapping[str, Phrase] = {
    "empty": empty,
    "refusal": refusal,
    "truncated": truncated,
    "wrong-value": wrong_value,
    "changed-digit": changed_digit,
    "other-answer": other_answer,
    "prompt-echo": prompt_echo,
}
