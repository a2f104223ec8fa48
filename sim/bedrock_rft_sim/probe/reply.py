"""One ungraded answer of whatever is probed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bedrock_rft_sim.data import Row

Wanted = Callable[[int, int], bool]
"""Takes a prompt's position and a sample's number; says whether that sample is still missing."""


@dataclass(frozen=True)
class Reply:
    """One answer, or the reason why there is none."""

    prompt: int
    """Position of the prompt among those of the probe."""
    sample: int
    text: str | None
    tokens: int | None = None
    prompt_tokens: int | None = None
    stop_reason: str | None = None
    fault: str | None = None
    outage: bool = False
    """Whether the fault is the server's, so that other prompts would meet it too."""
    sampling_s: float | None = None
    """Seconds of generating, shared out among the answers generated together."""


class GivenUpError(Exception):
    """The source will not be asked any further; says why in words for the user."""


class Source(Protocol):
    """A model that can be sampled."""

    def replies(
        self, rows: Sequence[Row], wanted: Wanted, *, last: Collection[int] = ()
    ) -> Iterator[list[Reply]]:
        """Yield the wanted answers in batches that are graded together.

        `last` are prompts that failed before; where order is free they are asked last.

        Raises:
            GivenUpError: nothing more is asked.
        """
