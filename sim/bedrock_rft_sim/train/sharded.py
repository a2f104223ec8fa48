"""Answers of a model whose weights are shared out among the processes, by FSDP2 or ZeRO-3.

The native decoder and the packed update read a model's weights directly, where only a part of each
is; such a model answers by `generate` of transformers, as TRL's own does, and learns by TRL's own
update. The weights come together at every forward pass, so all processes must make the same number.

Sources: TRL 1.16, `unwrap_model_for_generation`; transformers, `synced_gpus`; torch, `fully_shard`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.engine.sampler import (
    TOKENS_PER_BATCH,
    Answer,
    Engine,
    Far,
    Sampler,
    SamplingParams,
    Watch,
)
from bedrock_rft_sim.errors import EngineError, RunFolderError
from bedrock_rft_sim.train.world import World

if TYPE_CHECKING:
    from trl import GRPOTrainer

OF_FSDP: Final = "pytorch_model_fsdp.bin"
"""A file of every checkpoint that FSDP wrote, its state whole."""


def why_sharded(trainer: GRPOTrainer) -> str | None:
    """Return what shares out the weights of a trainer's model; None where each process has all."""
    if trainer.is_fsdp_enabled:
        return "FSDP shares out its weights"
    return "ZeRO-3 shares out its weights" if trainer._dist.is_zero3 else None


def demand_resumable(trainer: Any, checkpoint: Path, *, is_trained: bool) -> None:
    """Refuse to go on from a checkpoint of FSDP without it, or the reverse.

    Of a run that `is_trained` only the model is to be written, which takes one whole.

    Raises:
        RunFolderError: as said.
    """
    is_fsdp = bool(trainer.is_fsdp_enabled)
    if is_trained and why_sharded(trainer) is not None:
        expected, hint = "one process, or several by torchrun alone", "resume without the config"
    elif not is_trained and (checkpoint / OF_FSDP).exists() != is_fsdp:
        expected, hint = ("no FSDP", "without it") if is_fsdp else ("FSDP", "with it")
        hint = f"resume {hint}, by the launcher and the config that the run was started with"
    else:
        return
    raise RunFolderError(
        "the processes can't go on from this checkpoint",
        where=str(checkpoint),
        expected=expected,
        found=why_sharded(trainer) or "whole weights in each process",
        hint=hint,
    )


class ShardedSampler(Sampler):
    """A `Sampler` that all processes of a world call together.

    Raises:
        EngineError: `engine` is native.
    """

    def __init__(
        self, trainer: GRPOTrainer, world: World, *, why: str, dtype: str, engine: str
    ) -> None:
        if engine == "native":
            raise EngineError(
                "the engine does not fit the model",
                where="local.engine: native",
                found=why,
                hint="set local.engine to auto or transformers",
            )
        super().__init__(
            trainer.model, trainer.processing_class, dtype=dtype, engine="transformers"
        )
        if engine == "auto":
            self.engine = Engine("transformers", f"not native, since {why}")
        self._backend.is_shared = True  # type: ignore[attr-defined]
        self._trainer = trainer
        self._world = world

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        *,
        watch: Watch | None = None,
        far: Far | None = None,
    ) -> list[Answer]:
        """Answer each prompt once; greedy ones in as many batches in every process."""
        if params.temperature > 0:
            return super().sample(prompts, params, watch=watch, far=far)
        mine = (len(prompts), max(map(len, prompts), default=0))
        counts, lengths = zip(*self._world.gather([mine]), strict=True)
        size = max(1, TOKENS_PER_BATCH // (max(lengths) + params.max_tokens))
        filled = [*prompts, *([self._ends_only()] * (max(counts) - len(prompts)))]
        answers: list[Answer] = []
        for start in range(0, len(filled), size):
            answers += super().sample(filled[start : start + size], params)
        return answers[: len(prompts)]

    def _ends_only(self) -> list[int]:
        """Return a prompt to keep step with the others by."""
        return [min(self._ends)]

    @contextmanager
    def _ready(self, seed: int | None) -> Iterator[None]:
        """Gather the weights as TRL does around its own generation."""
        from trl.models import unwrap_model_for_generation

        trainer: Any = self._trainer
        whole = unwrap_model_for_generation(
            trainer.model_wrapped,
            trainer.accelerator,
            gather_deepspeed3_params=trainer.args.ds3_gather_for_generation,
        )
        with super()._ready(seed), whole:
            yield
