"""Continue one conversation with a base, tuned or checkpoint model, in pieces as it is written.

Deliberately one conversation at a time, and text only.
Sources: transformers, `StoppingCriteria`, for what is called after every token.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bedrock_rft_sim.data.tokens import ChatTokenizer, load_tokenizer
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import tokenizer_source
from bedrock_rft_sim.engine.sampler import Answer, Engine, Sampler, SamplingParams
from bedrock_rft_sim.errors import DataError

DEFAULT_MAX_TOKENS = 2048
"""Assumed, where the caller names no limit: inferenceMaxTokens of nova-forge-sdk; the context may
leave less."""

_TORN = "\ufffd"  # what the decoder writes for a character whose last bytes are still to come


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One conversation to go on with."""

    model: str
    """`tiny`, a folder, or a Hub id: never a client's own words."""
    messages: Sequence[Mapping[str, Any]]
    """`role` and `content`, text only."""
    max_tokens: int | None = None
    """None for `DEFAULT_MAX_TOKENS`; never more than the context has left; 0 only counts."""
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """Tokens that are sampled from; 0 is all."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer; they are not part of it."""
    seed: int | None = None
    """None draws one."""
    template: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the chat template."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The whole answer to a `ModelRequest`."""

    text: str
    stop_reason: Literal["stop", "length", "stop_sequence"]
    """Whether the model ended it, the token limit did, or one of `ModelRequest.stop`."""
    stop_sequence: str | None
    prompt_tokens: int
    completion_tokens: int
    """Those that were generated, the end token included."""


class ChatModel:
    """A model loaded to continue conversations.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
        RecipeError: there is no such model.
    """

    def __init__(self, model: str, device: Device) -> None:
        self._chat = load_tokenizer(tokenizer_source(model))
        self._sampler = Sampler.load(model, device)
        config = self._sampler.model.config.get_text_config()
        self._context: int | None = getattr(config, "max_position_embeddings", None)

    @property
    def engine(self) -> Engine:
        """What its latest answer came from."""
        return self._sampler.engine

    def answer(
        self,
        request: ModelRequest,
        *,
        on_piece: Callable[[str], None] | None = None,
        is_unwanted: Callable[[], bool] | None = None,
    ) -> ModelAnswer:
        """Answer; `on_piece` gets each new piece of text, `is_unwanted` is called after each token.

        Raises:
            DataError: the template refuses the messages, or they fill the whole context.
        """
        prompt = self._chat.encode(self._chat.render(request.messages, **request.template))
        if request.max_tokens == 0:
            return ModelAnswer("", "length", None, len(prompt), 0)
        params = SamplingParams(
            max_tokens=self._limit(len(prompt), request.max_tokens),
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            seed=secrets.randbits(32) if request.seed is None else request.seed,
        )
        writer = _Writer(self._chat, request.stop, on_piece, is_unwanted)
        [answer] = self._sampler.sample([prompt], params, watch=writer)
        return writer.finish(answer, len(prompt))

    def _limit(self, prompt_tokens: int, wanted: int | None) -> int:
        limit = DEFAULT_MAX_TOKENS if wanted is None else wanted
        if self._context is None:
            return limit
        if prompt_tokens >= self._context:
            raise DataError(
                "the messages fill the model's whole context",
                expected=f"fewer than {self._context} tokens, those of the chat template included",
                found=f"{prompt_tokens} tokens",
                hint="send shorter messages, or map a model with a longer context",
            )
        return min(limit, self._context - prompt_tokens)


@dataclass
class _Writer:
    """Turns an answer's tokens, as they come, into text that can be sent already."""

    chat: ChatTokenizer
    stop: Sequence[str]
    on_piece: Callable[[str], None] | None
    is_unwanted: Callable[[], bool] | None
    _text: str = ""
    _sent: int = 0
    _stopped_by: str | None = None

    def __call__(self, _row: int, tokens: Sequence[int]) -> bool:
        """Take the tokens so far; return whether to stop."""
        self._text, self._stopped_by = first_stop(self.chat.decode(tokens), self.stop)
        if self._stopped_by is not None:
            return True
        self._send(sendable(self._text, self.stop))
        return self.is_unwanted is not None and self.is_unwanted()

    def finish(self, answer: Answer, prompt_tokens: int) -> ModelAnswer:
        """Send what was held back and say how the answer ended."""
        self._send(len(self._text))
        return ModelAnswer(
            text=self._text,
            stop_reason=answer.stop_reason if self._stopped_by is None else "stop_sequence",
            stop_sequence=self._stopped_by,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(answer.tokens),
        )

    def _send(self, upto: int) -> None:
        if self.on_piece is not None and upto > self._sent:
            self.on_piece(self._text[self._sent : upto])
        self._sent = max(self._sent, upto)


def first_stop(text: str, stop: Sequence[str]) -> tuple[str, str | None]:
    """Cut the text before the stop sequence that is complete first; say which, or None.

    Where the text was cut into tokens makes no difference.
    """
    found = [(text.index(each) + len(each), -len(each), each) for each in stop if each in text]
    if not found:
        return text, None
    end, _, which = min(found)
    return text[: end - len(which)], which


def sendable(text: str, stop: Sequence[str]) -> int:
    """Return how many characters no later token can take back.

    The end may be half a character, or the beginning of a stop sequence.
    """
    whole = len(text.rstrip(_TORN))
    longest = max((len(each) for each in stop), default=1) - 1
    for held in range(min(longest, whole), 0, -1):
        if any(each.startswith(text[whole - held : whole]) for each in stop):
            return whole - held
    return whole
