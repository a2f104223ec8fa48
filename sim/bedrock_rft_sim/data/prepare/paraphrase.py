"""Put a question into another frame: the same question, word for word, asked another way.

A frame never says anything about the form of the answer: that is the instruction's, which stays as
it was because the reward's parser depends on it. No frame holds a role prefix or another text that
AWS's validators forbid.
"""

from __future__ import annotations

import random

FRAMES = (
    "Solve this problem.\n\n{question}",
    "Here is a problem to work out.\n\n{question}",
    "Read the following carefully and answer it.\n\n{question}",
    "Work through this one step by step.\n\n{question}",
    "Think about the following.\n\n{question}",
    "Please help with this:\n\n{question}",
    "Consider this task.\n\n{question}",
    "The following question needs an answer.\n\n{question}",
)


def draw_frames(count: int, rng: random.Random) -> list[str]:
    """Return that many different frames, or all of them where there are fewer."""
    return rng.sample(FRAMES, min(count, len(FRAMES)))


def framed(question: str, frame: str) -> str:
    """Return the question in the frame."""
    return frame.format(question=question)


def is_framed(question: str) -> bool:
    """Say whether the question stands in one of the frames already."""
    return any(question.startswith(frame.partition("{")[0]) for frame in FRAMES)
