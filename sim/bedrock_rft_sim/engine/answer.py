"""Answer one conversation with a base, tuned or checkpoint model, in pieces as it is written.

The weights are those of a whole model, or of LoRA adapters on the base that they name.
Deliberately one conversation at a time, and text only: the trainer's rollouts come from elsewhere.
Sources: transformers, `GenerationMixin.generate` and `StoppingCriteria`; peft, `PeftModel`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.greedy import end_tokens
from bedrock_rft_sim.engine.load import load_tokenizer, model_init_kwargs, model_source
from bedrock_rft_sim.errors import DataError, TrainingError

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

    from bedrock_rft_sim.data.tokens import ChatTokenizer

StopReason = Literal["stop", "length", "stop_sequence"]
DEFAULT_MAX_TOKENS = 2048
"""Assumed, where the caller names no limit: inferenceMaxTokens of nova-forge-sdk; the context may
leave less."""

ADAPTER_FILE = "adapter_config.json"
_TORN = "\ufffd"  # what the decoder writes for a character whose last bytes are still to come


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose the tokens."""

    max_tokens: int | None = None
    """None for `DEFAULT_MAX_TOKENS`; never more than the context has left."""
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """Tokens that are sampled from; 0 is all."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer; they are not part of it."""
    seed: int | None = None
    """None draws one."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer."""

    text: str
    stop_reason: StopReason
    """Whether the model ended it, the token limit did, or one of `Sampling.stop`."""
    stop_sequence: str | None
    prompt_tokens: int
    completion_tokens: int
    """Those that were generated, the end token included."""


class AnsweringModel:
    """A model loaded to answer with.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
        RecipeError: there is no such model.
    """

    def __init__(self, model: str, device: Device) -> None:
        source = model_source(model)
        base = adapter_base(Path(source))
        named = source if base is None or (Path(source) / "tokenizer.json").is_file() else base
        self._kind = device.type.partition(":")[0]
        self._dtype = device.dtype
        self._chat: ChatTokenizer = load_chat_tokenizer(named)
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(named, self._chat)
        self._model = _load(source, base, self._kind)
        self._context: int | None = getattr(
            self._model.config.get_text_config(), "max_position_embeddings", None
        )

    def answer(
        self,
        messages: Sequence[Mapping[str, Any]],
        sampling: Sampling,
        *,
        on_piece: Callable[[str], None] | None = None,
        is_unwanted: Callable[[], bool] | None = None,
        template_options: Mapping[str, Any] | None = None,
    ) -> Answered:
        """Answer; `on_piece` is told each new piece of text, `is_unwanted` asked after each token.

        Raises:
            DataError: the template refuses the messages, or they fill the whole context.
        """
        import torch
        from transformers import StoppingCriteriaList

        prompt = self._chat.encode(self._chat.render(messages, **(template_options or {})))
        limit = self._limit(len(prompt), sampling.max_tokens)
        ends = end_tokens(self._model, self._tokenizer)
        writer = _Writer(self._chat, len(prompt), ends, sampling.stop, on_piece, is_unwanted)
        ids = torch.tensor([prompt], device=self._model.device)  # (1, P)
        with torch.no_grad(), self._autocast(), torch.random.fork_rng(devices=self._gpus()):
            torch.manual_seed(secrets.randbits(32) if sampling.seed is None else sampling.seed)
            self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                generation_config=self._config(sampling, limit, ends),
                stopping_criteria=StoppingCriteriaList([writer]),
            )
        return writer.finish(len(prompt))

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

    def _config(self, sampling: Sampling, limit: int, ends: set[int]) -> GenerationConfig:
        from transformers import GenerationConfig

        chance: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            chance = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "min_p": None,
            }
        return GenerationConfig(
            **chance,
            max_new_tokens=limit,
            repetition_penalty=1.0,
            pad_token_id=self._tokenizer.pad_token_id,
            bos_token_id=self._tokenizer.bos_token_id,
            eos_token_id=sorted(ends),
            disable_compile=True,
        )

    def _autocast(self) -> Any:
        import torch

        enabled = self._dtype != "float32"
        return torch.autocast(self._kind, dtype=getattr(torch, self._dtype), enabled=enabled)

    def _gpus(self) -> list[int]:
        import torch

        return [torch.cuda.current_device()] if self._kind == "cuda" else []


class _Writer:
    """Called by `generate` after every token; turns tokens into text that can be sent already."""

    def __init__(
        self,
        chat: ChatTokenizer,
        prompt_tokens: int,
        ends: set[int],
        stop: Sequence[str],
        on_piece: Callable[[str], None] | None,
        is_unwanted: Callable[[], bool] | None,
    ) -> None:
        self._chat = chat
        self._start = prompt_tokens
        self._ends = ends
        self._stop = stop
        self._on_piece = on_piece
        self._is_unwanted = is_unwanted
        self._tokens: list[int] = []
        self._text = ""
        self._sent = 0
        self._stopped_by: str | None = None

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        """Take the tokens so far, (1, P + T); return whether to stop, (1,)."""
        import torch

        self._tokens = input_ids[0, self._start :].tolist()
        self._text, self._stopped_by = first_stop(self._decoded(), self._stop)
        if self._stopped_by is None:
            self._send(sendable(self._text, self._stop))
        is_done = self._stopped_by is not None
        is_done = is_done or (self._is_unwanted is not None and self._is_unwanted())
        return torch.full((1,), is_done, device=input_ids.device, dtype=torch.bool)

    def finish(self, prompt_tokens: int) -> Answered:
        """Send what was held back and say how the answer ended."""
        self._send(len(self._text))
        has_ended = bool(self._tokens) and self._tokens[-1] in self._ends
        reason: StopReason = "stop" if has_ended else "length"
        return Answered(
            text=self._text,
            stop_reason=reason if self._stopped_by is None else "stop_sequence",
            stop_sequence=self._stopped_by,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(self._tokens),
        )

    def _decoded(self) -> str:
        return self._chat.decode(self._tokens)

    def _send(self, upto: int) -> None:
        if self._on_piece is not None and upto > self._sent:
            self._on_piece(self._text[self._sent : upto])
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


def adapter_base(folder: Path) -> str | None:
    """Return the base model that the LoRA adapters in the folder name; None for a whole model."""
    if not (folder / ADAPTER_FILE).is_file():
        return None
    from peft import PeftConfig

    return cast("str", PeftConfig.from_pretrained(str(folder)).base_model_name_or_path)


def _load(source: str, base: str | None, kind: str) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(base or source, **model_init_kwargs())
        if base is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, source).merge_and_unload()
    except (OSError, ValueError) as error:
        raise TrainingError(
            "the model can't be loaded",
            where=source,
            expected="a folder with a Hugging Face model or LoRA adapters, tiny, or a Hub id",
            found=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint="check the mapping, the network and, for gated models, HF_TOKEN",
        ) from error
    return model.to(kind).eval()
