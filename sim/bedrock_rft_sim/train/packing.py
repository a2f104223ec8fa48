"""What one pass over rollouts has to compute: each real token once, each prompt once.

All rollouts of a micro-batch become one row of tokens. First stand the distinct prompts, each
without its last token; then the completions, each led by the last token of its prompt, so that a
completion's positions are exactly those whose next token is scored. Segments of similar length form
a block, whose queries attend in one call; a completion reads its prompt's keys and its own.
Pure index arithmetic: no model, no gradient.

Axes: R rollouts, T completion tokens as padded; N packed tokens, S scored ones (the last S of N);
in a block B segments, Q queries, P keys of prompts, K keys in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import torch
from torch import Tensor

SIMILAR: Final = 1.25
"""A block's longest segment has at most so many times the tokens of its shortest ..."""
STEP: Final = 8
"""... or at most so many more."""
MASK_ELEMENTS: Final = 2**24
"""Of one block, at most, unless a single segment needs more."""

Rollout = tuple[tuple[int, ...], tuple[int, ...]]
"""The token ids of a prompt and of its completion."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens that follow each other in the row, and the prompt that they attend to as well."""

    start: int
    tokens: tuple[int, ...]
    prompt: Segment | None = None

    @property
    def positions(self) -> range:
        """Where its tokens stand in their own rollout."""
        before = len(self.prompt.tokens) if self.prompt else 0
        return range(before, before + len(self.tokens))


@dataclass(frozen=True)
class Block:
    """Segments whose queries attend in one call, as places among the N tokens."""

    queries_BQ: Tensor
    is_query_BQ: Tensor
    """False where a shorter segment is padded."""
    keys_BK: Tensor
    mask_B1QK: Tensor | None
    """True where a query sees a key; None where all are causal, as prompts are."""


@dataclass(frozen=True)
class Plan:
    """One pass: its tokens, who attends to whom, and where the scores belong."""

    tokens_1N: Tensor
    positions_1N: Tensor
    labels_1S: Tensor
    queries: Tensor
    """The places of the queries of all blocks, joined."""
    keys: Tensor
    """The same of their keys."""
    sizes: tuple[tuple[int, int, int], ...]
    """B, Q and K of each block."""
    masks: tuple[Tensor | None, ...]
    answer_N: Tensor
    """Where each token's output stands among the queries."""
    target_S: Tensor
    """Where each score belongs in the flattened (R, T)."""
    shape: tuple[int, int]
    """R and T."""


def rollouts_of(input_ids: Tensor, attention_mask: Tensor, width: int) -> list[Rollout]:
    """Return what TRL's rows, (R, P + T), hold without their padding.

    Prompts are padded on the left; completions, the last `width` columns, on the right.
    """
    border = input_ids.shape[1] - width
    prompts = attention_mask[:, :border].sum(dim=1).tolist()
    completions = attention_mask[:, border:].sum(dim=1).tolist()
    return [
        (tuple(row[border - prompt : border]), tuple(row[border : border + completion]))
        for row, prompt, completion in zip(input_ids.tolist(), prompts, completions, strict=True)
    ]


def pack(rollouts: Mapping[int, Rollout], shape: tuple[int, int], device: torch.device) -> Plan:
    """Plan the pass over some rollouts, by row, of a batch whose scores have this shape (R, T)."""
    order = sorted(rollouts, key=lambda each: len(rollouts[each][1]))
    prompts, answers = _segments([rollouts[each] for each in order])
    segments = [*prompts, *answers]
    blocks = [_block(alike) for kind in (prompts, answers) for alike in _alike(kind)]
    labels = [rollouts[each][1] for each in order]
    starts = [each * shape[1] for each in order]
    targets = [range(at, at + len(scored)) for at, scored in zip(starts, labels, strict=True)]

    def row(parts: Iterable[Iterable[int]]) -> Tensor:
        return torch.tensor(list(chain.from_iterable(parts)), device=device)

    return Plan(
        tokens_1N=row(each.tokens for each in segments)[None],
        positions_1N=row(each.positions for each in segments)[None],
        labels_1S=row(labels)[None],
        queries=_joined(block.queries_BQ for block in blocks).to(device),
        keys=_joined(block.keys_BK for block in blocks).to(device),
        sizes=tuple((*block.queries_BQ.shape, block.keys_BK.shape[1]) for block in blocks),
        masks=tuple(None if (mask := b.mask_B1QK) is None else mask.to(device) for b in blocks),
        answer_N=_answers(blocks).to(device),
        target_S=row(targets),
        shape=shape,
    )


def _segments(rollouts: Sequence[Rollout]) -> tuple[list[Segment], list[Segment]]:
    """Return the distinct prompts, by length, and the completions in the order given."""
    prompts: dict[tuple[int, ...], Segment] = {}
    answers: list[Segment] = []
    end = 0
    for prompt in sorted({prompt for prompt, _ in rollouts}, key=lambda each: (len(each), each)):
        prompts[prompt] = Segment(end, prompt[:-1])
        end += len(prompt) - 1
    for prompt, completion in rollouts:
        answers.append(Segment(end, (prompt[-1], *completion)[:-1], prompts[prompt]))
        end += len(completion)
    return list(prompts.values()), answers


def _alike(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Cut segments, which come by length, where they grow too unlike or too many; drop empty ones.

    What shorter ones are padded with costs time, and every block costs a call.
    """
    block: list[Segment] = []
    for segment in segments:
        if block and _is_too_much(block, segment):
            yield block
            block = []
        if segment.tokens:
            block.append(segment)
    if block:
        yield block


def _is_too_much(block: list[Segment], segment: Segment) -> bool:
    length, shortest = len(segment.tokens), len(block[0].tokens)
    elements = (len(block) + 1) * length * segment.positions.stop
    return length > max(shortest + STEP, shortest * SIMILAR) or elements > MASK_ELEMENTS


def _block(segments: Sequence[Segment]) -> Block:
    prompts = [each.prompt or Segment(each.start, ()) for each in segments]
    queries_BQ, is_query_BQ = _places(segments)
    prompt_BP, is_prompt_BP = _places(prompts)
    if not prompt_BP.shape[1]:
        return Block(queries_BQ, is_query_BQ, queries_BQ, None)
    count, size = queries_BQ.shape
    causal_QQ = torch.ones(size, size, dtype=torch.bool).tril()
    seen = (is_prompt_BP[:, None].expand(-1, size, -1), causal_QQ.expand(count, -1, -1))
    keys_BK = torch.cat([prompt_BP, queries_BQ], dim=1)
    return Block(queries_BQ, is_query_BQ, keys_BK, torch.cat(seen, dim=2)[:, None])


def _places(segments: Sequence[Segment]) -> tuple[Tensor, Tensor]:
    """Return the places of the tokens, (B, longest), padded with the first, and which are real."""
    lengths_B1 = torch.tensor([len(each.tokens) for each in segments])[:, None]
    starts_B1 = torch.tensor([each.start for each in segments])[:, None]
    offsets_L = torch.arange(int(lengths_B1.max()))
    is_real_BL = offsets_L < lengths_B1
    return starts_B1 + offsets_L * is_real_BL, is_real_BL


def _answers(blocks: Sequence[Block]) -> Tensor:
    """Return where each token's output stands among the queries of all blocks, joined, (N,)."""
    places = _joined(block.queries_BQ for block in blocks)
    is_real = _joined(block.is_query_BQ for block in blocks)
    answer_N = torch.empty(int(is_real.sum()), dtype=torch.long)
    answer_N[places[is_real]] = torch.arange(len(places))[is_real]
    return answer_N


def _joined(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])
