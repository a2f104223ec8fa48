"""How long prompts and references are, in tokens, and which limits follow from that.

The advice is that of AWS's sample notebooks: maxPromptLength at twice the 99th percentile of the
prompts, inferenceMaxTokens at three times that of the reference answers. It is advice for the
model whose tokenizer counted: Nova's own is not published.

Sources: aws-samples/amazon-bedrock-samples, bedrock-reinforcement-fine-tuning (the notebooks).
"""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.data.prepare.rows import reference_text
from bedrock_rft_sim.data.tokens import ChatTokenizer
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats.shares import percentile

PROMPT_FACTOR = 2
ANSWER_FACTOR = 3
_AT_ONCE = 512
"""Records tokenized in one call, which uses every core."""


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """A summary of lengths, in tokens."""

    shortest: int
    median: float
    p99: int
    """The smallest length that 99 of 100 do not exceed."""
    longest: int


def spread(lengths: Sequence[int]) -> LengthSummary | None:
    """Return the summary; None of nothing."""
    if not lengths:
        return None
    return LengthSummary(
        shortest=min(lengths),
        median=statistics.median(lengths),
        p99=percentile(lengths, 0.99),
        longest=max(lengths),
    )


@dataclass(frozen=True, slots=True)
class FileLengths:
    """The lengths of one file."""

    model: str
    """Whose tokenizer counted."""
    prompt: LengthSummary | None
    """With the chat template around the messages."""
    reference: LengthSummary | None
    limit: int | None
    """maxPromptLength, where one was named."""
    dropped: int | None
    """Prompts over the limit."""

    @property
    def recommended_prompt(self) -> int | None:
        """Return the advice for maxPromptLength."""
        return None if self.prompt is None else PROMPT_FACTOR * self.prompt.p99

    @property
    def recommended_answer(self) -> int | None:
        """Return the advice for inferenceMaxTokens."""
        return None if self.reference is None else ANSWER_FACTOR * self.reference.p99

    def as_json(self) -> dict[str, Any]:
        """Return the lengths as JSON-ready data."""
        return {
            **asdict(self),
            "recommended_maxPromptLength": self.recommended_prompt,
            "recommended_inferenceMaxTokens": self.recommended_answer,
        }


class LengthCounter:
    """Counts the records of one file as they pass."""

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        *,
        file: str,
        limit: int | None = None,
        template_options: Mapping[str, Any] | None = None,
        on_long: Callable[[int, int], None] | None = None,
    ) -> None:
        self.prompts = array("l")
        """Tokens of every prompt, in the order of the file."""
        self._references = array("l")
        self._tokenizer = tokenizer
        self._file = file
        self._limit = limit
        self._options = dict(template_options or {})
        self._on_long = on_long
        self._waiting: list[tuple[int, str, str | None]] = []
        """Line, prompt and reference of what is not counted yet."""

    def add(self, line: int, record: Mapping[str, Any]) -> None:
        """Take one record that can be trained on.

        Raises:
            DataError: the chat template refuses its messages.
        """
        try:
            prompt = self._tokenizer.render(record["messages"], **self._options)
        except DataError as error:
            raise error.restated(DataError, where=f"{self._file}:{line}") from error
        self._waiting.append((line, prompt, reference_text(record)))
        if len(self._waiting) == _AT_ONCE:
            self._count()

    def lengths(self) -> FileLengths:
        """Return the summary of all records so far."""
        self._count()
        limit = self._limit
        return FileLengths(
            model=self._tokenizer.name,
            prompt=spread(self.prompts),
            reference=spread(self._references),
            limit=limit,
            dropped=None if limit is None else sum(length > limit for length in self.prompts),
        )

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        counts = self._tokenizer.lengths([prompt for _, prompt, _ in waiting])
        self.prompts.extend(counts)
        references = [text for _, _, text in waiting if text is not None]
        self._references.extend(self._tokenizer.lengths(references))
        if self._limit is not None and self._on_long is not None:
            for (line, _, _), length in zip(waiting, counts, strict=True):
                if length > self._limit:
                    self._on_long(line, length)
