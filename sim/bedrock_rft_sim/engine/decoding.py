"""Decode one batch: each distinct prompt is read once, then every row gets a token a step.

All state lies in tensors that a step changes in place, so that a GPU can replay the step as one
CUDA graph. The random numbers are drawn before the first step, one per row and token: which token
comes out depends neither on the graph nor on the rows that have left.

Axes: B rows, A rows that have not left, U distinct prompts, P prompt, T answer, V vocabulary.
Sources: transformers' logits warpers, in the order in which its `generate` applies them; torch,
`CUDAGraph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    PreTrainedModel,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from bedrock_rft_sim.engine.key_value_store import KeyValueStore
from bedrock_rft_sim.engine.sampler import Far, SamplingParams, Watch
from bedrock_rft_sim.engine.transformers_backend import up_to_end
from bedrock_rft_sim.errors import EngineError

LEAVING_SHARE = 0.2
"""Finished rows leave once they are this share of the rows that are computed."""
STEPS_UNSEEN = 16
"""Steps of a GPU between two looks at its rows, each of which waits for it."""
WARM_UP_STEPS = 2  # before a capture, as torch asks for


@dataclass(frozen=True, slots=True)
class BatchShape:
    """What a `Decoder` is made for."""

    rows: int
    columns: int
    """Enough for the longest prompt with its answer."""
    params: SamplingParams
    ends: frozenset[int]
    dtype: torch.dtype

    @property
    def cells(self) -> int:
        """Tokens whose keys and values there is memory for."""
        return self.rows * self.columns


class Decoder:
    """A batch of one shape, and the step that gives each of its rows a token."""

    def __init__(self, model: PreTrainedModel, shape: BatchShape) -> None:
        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=model.device)

        rows, params = shape.rows, shape.params
        self._model = model
        self._ends = shape.ends
        self._end_tokens = torch.tensor(sorted(shape.ends), device=model.device)
        self._is_greedy = params.temperature == 0
        self._warpers = warpers(params)
        self._store = KeyValueStore(rows, shape.columns, shape.dtype, model.device)
        self._numbers_BT = zeros(rows, params.max_tokens, dtype=number_type(model.device))
        self._tokens_BT = zeros(rows, params.max_tokens)
        self._logprobs_BT = zeros(rows, params.max_tokens, dtype=torch.float32)
        self._turn = zeros(1)
        self._rows_A = torch.arange(rows, device=model.device)
        self._done_A = zeros(rows, dtype=torch.bool)
        self._token_A1 = zeros(rows, 1)
        self._position_A1 = zeros(rows, 1)
        self._has_graph = model.device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None

    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        numbers_BT: Tensor,
        *,
        is_static: bool,
        watch: Watch | None = None,
        far: Far | None = None,
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Return each row's tokens up to its end token, and their log-probabilities.

        Those are as the model has them, neither tempered nor cut to top p or top k. With
        `is_static` every step has the same shapes and no row leaves, and the batch can be decoded
        again with other prompts.
        """
        width = self._begin(prompts, numbers_BT)
        most = self._tokens_BT.shape[1]
        look = 1 if watch or self._model.device.type == "cpu" else STEPS_UNSEEN
        lengths = [most] * len(prompts)
        for turn in range(1, most + 1):
            if is_static:
                self._replay()
            else:
                self._store.width = width + turn
                self._step()
            if watch is not None:
                self._show(watch, turn, lengths)
            if turn % look == 0:
                going = self._going(may_leave=not is_static)
                if not going:
                    break
                if far is not None:
                    far(len(prompts) - going, turn / most)
        # What a row goes on with behind its end token is no answer.
        rows = [
            up_to_end(tokens[:length], self._ends)
            for tokens, length in zip(self._tokens_BT.tolist(), lengths, strict=True)
        ]
        logprobs = zip(self._logprobs_BT.tolist(), rows, strict=True)
        return rows, [each[: len(tokens)] for each, tokens in logprobs]

    def _begin(self, prompts: Sequence[Sequence[int]], numbers_BT: Tensor) -> int:
        """Read the prompts but for their last tokens, which open the first step."""
        device = self._model.device
        distinct = list(dict.fromkeys(tuple(prompt[:-1]) for prompt in prompts))
        places = {prompt: place for place, prompt in enumerate(distinct)}
        prompt_of_B = torch.tensor([places[tuple(prompt[:-1])] for prompt in prompts])
        lengths_B = torch.tensor([len(prompt) - 1 for prompt in prompts], device=device)
        width = max(map(len, distinct))
        with self._store.reading(prompt_of_B.to(device), lengths_B, width):
            if width:
                self._read(distinct, width)
        self._turn.zero_()
        self._done_A.zero_()
        self._token_A1.copy_(torch.tensor([[prompt[-1]] for prompt in prompts]))
        self._position_A1.copy_(lengths_B[:, None])
        self._numbers_BT.copy_(numbers_BT)
        return width

    def _read(self, prompts: Sequence[Sequence[int]], width: int) -> None:
        padded_UP = [[*prompt, *[0] * (width - len(prompt))] for prompt in prompts]
        ids_UP = torch.tensor(padded_UP, device=self._model.device)
        positions_1P = torch.arange(width, device=self._model.device)[None]
        self._model(
            input_ids=ids_UP,
            position_ids=positions_1P.expand(len(prompts), -1),
            use_cache=False,
            logits_to_keep=1,
            store=self._store,
        )

    def _step(self) -> None:
        """Give every row its next token, all on the device."""
        self._store.show_next_column()
        logits_A1V = self._model(
            input_ids=self._token_A1,
            position_ids=self._position_A1,
            use_cache=False,
            store=self._store,
        ).logits
        logits_AV = logits_A1V[:, 0].float()
        scores_AV = logits_AV.log_softmax(-1)
        at = self._rows_A, self._turn.expand_as(self._rows_A)
        if self._is_greedy:
            token_A1 = logits_AV.argmax(-1, keepdim=True)
        else:
            token_A1 = draw(self._warpers(None, scores_AV), self._numbers_BT[at][:, None])
        self._tokens_BT.index_put_(at, token_A1[:, 0])
        self._logprobs_BT.index_put_(at, scores_AV.gather(1, token_A1)[:, 0])
        self._done_A.logical_or_(torch.isin(token_A1[:, 0], self._end_tokens))
        self._token_A1.copy_(token_A1)
        for counter in (self._position_A1, self._store.slot, self._turn):
            counter.add_(1)

    def _replay(self) -> None:
        if self._graph is None and self._has_graph:
            self._graph = self._captured_step()
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def _captured_step(self) -> torch.cuda.CUDAGraph:
        """Record a step; the steps that warm up are taken back, the recording runs none.

        Raises:
            EngineError: the model does on the way what no graph can hold.
        """
        state = (
            self._turn,
            self._done_A,
            self._token_A1,
            self._position_A1,
            self._store.slot,
        )
        saved = [each.clone() for each in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                self._step()
                for each, before in zip(state, saved, strict=True):
                    each.copy_(before)
        torch.cuda.current_stream().wait_stream(stream)
        torch.clear_autocast_cache()  # casts outlive it only as a part of the graph
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._step()
        except RuntimeError as error:
            raise refusal(f"no CUDA graph holds its step: {str(error).splitlines()[0]}") from error
        return graph

    def _show(self, watch: Watch, turn: int, lengths: list[int]) -> None:
        """Let the watcher see the rows that go on; those that it ends have this length."""
        for place, row in enumerate(self._rows_A.tolist()):
            tokens = self._tokens_BT[row, :turn].tolist()
            goes_on = lengths[row] >= turn and self._ends.isdisjoint(tokens[:-1])
            if goes_on and watch(row, tokens):
                lengths[row] = turn
                self._done_A[place] = True

    def _going(self, *, may_leave: bool) -> int:
        """Return how many rows go on; few of many are all that is kept."""
        going = (~self._done_A).nonzero()[:, 0]
        if may_leave and 0 < len(going) <= (1 - LEAVING_SHARE) * len(self._done_A):
            self._store.keep(going)
            self._rows_A, self._done_A = self._rows_A[going], self._done_A[going]
            self._token_A1, self._position_A1 = self._token_A1[going], self._position_A1[going]
        return len(going)


def warpers(params: SamplingParams) -> LogitsProcessorList:
    """Return what shapes the distribution that tokens are drawn from."""
    chosen = LogitsProcessorList()
    if params.temperature not in (0, 1):
        chosen.append(TemperatureLogitsWarper(float(params.temperature)))
    if params.top_k:
        chosen.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        chosen.append(TopPLogitsWarper(params.top_p))
    return chosen


def number_type(device: torch.device) -> torch.dtype:
    """Return the type of random numbers and cumulative sums; Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def draw(scores_AV: Tensor, numbers_A1: Tensor) -> Tensor:
    """Return the token at which the cumulative probability passes a number in [0, 1), (A, 1)."""
    cumulative_AV = scores_AV.softmax(-1).cumsum(-1, dtype=numbers_A1.dtype)
    # Rounding leaves the last sum beside 1; it is never reached, so that a token always passes.
    below_A1 = cumulative_AV[:, -1:] * (1 - torch.finfo(numbers_A1.dtype).eps)
    token_A1 = torch.searchsorted(cumulative_AV, numbers_A1 * below_A1, right=True)
    return token_A1.clamp(max=scores_AV.shape[1] - 1)  # where a score is no number


def refusal(why: str) -> EngineError:
    """Return the error that leaves a model to another engine."""
    return EngineError(
        "the engine does not fit the model",
        where="local.engine: native",
        found=why,
        hint="set local.engine to auto or transformers",
    )
