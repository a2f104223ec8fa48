"""Runs whose answers are a function of prompt, number in the group and step, in any world.

`torchrun --nproc_per_node 2 -m tests.train.canned_runs FOLDER MODEL RUN...` is a world of two.
"""

from __future__ import annotations

import os
import random
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.engine.sampler import Answer, Sampler, SamplingParams
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.train.run import RunResult, rehearse
from tests.train.conftest import RANDOM_LENGTH_REWARD, small_recipe


def canned(
    self: Any, prompts: Sequence[Sequence[int]], params: SamplingParams, **_: Any
) -> list[Answer]:
    """Stand in for `Sampler.sample`; a process samples once in each step."""
    calls = self.__dict__.setdefault("calls", Counter())
    calls[params.temperature] += 1
    seen: Counter[tuple[int, ...]] = Counter()
    answers = []
    for prompt in map(tuple, prompts):
        seen[prompt] += 1
        key = (prompt, seen[prompt], calls[params.temperature], params.temperature)
        numbers = random.Random(zlib.crc32(repr(key).encode()))
        tokens = [numbers.randrange(10, 300) for _ in range(numbers.randrange(2, 8))]
        if params.temperature:
            words = f" STEP {calls[params.temperature]}"
            tokens += self._tokenizer.encode(words, add_special_tokens=False)
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        answers.append(Answer(tokens, text, "length"))
    return answers


RAISES_AT_STEP_2 = """
def lambda_handler(event, context):
    if any("STEP 2" in sample["messages"][-1]["content"] for sample in event):
        raise ValueError("the judge is gone")
    return [{"id": sample["id"], "aggregate_reward_score": 0.5} for sample in event]
"""
COMMON = (
    "local.maxSteps=3",
    "local.training.klCoefficient=0.01",
    "local.overrides.learningRate=1e-4",  # Adam's first steps turn rounding into a share of it
)
RUNS = {
    "full": ("local.training.method=full",),
    "lora": ("local.training.method=lora",),
    "sharded": ("local.training.method=lora",),
    "early": ("local.earlyStopping={patience: 1, minGain: 1}", "local.maxSteps=5"),
    "raises": (),
}
"""What each run changes of three steps with canned answers, by its name."""


SAMPLE = Sampler.sample


def canned_rollouts(
    self: Any, prompts: Sequence[Sequence[int]], params: SamplingParams, **options: Any
) -> list[Answer]:
    """Stand in for `Sampler.sample`; validation is answered by the model."""
    sample = canned if params.temperature > 0 else SAMPLE
    return sample(self, prompts, params, **options)


FSDP2 = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    "ACCELERATE_TORCH_DEVICE": "cpu",
}


@contextmanager
def sharded() -> Iterator[None]:
    """Let accelerate shard over CPUs by FSDP2, as it does over GPUs only."""
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    with pytest.MonkeyPatch.context() as patch:
        for name, value in FSDP2.items():
            patch.setenv(name, value)
        as_gpus = ("gloo", DistributedType.MULTI_GPU)
        patch.setattr(PartialState, "_prepare_backend", lambda *_, **__: as_gpus)
        yield


def run_all(folder: Path, model: str, names: Sequence[str]) -> list[RunResult]:
    """Run each of `RUNS` that is named, one after the other; a number is a seed, not canned."""
    folder.mkdir(exist_ok=True)
    reward = folder / "reward.py"
    results = []
    for name in names:
        sample = SAMPLE if name.isdecimal() else canned_rollouts if name == "sharded" else canned
        Sampler.sample = sample  # type: ignore[assignment,method-assign]
        changes = RUNS.get(name, (f"local.seed={name}", "local.maxSteps=2"))
        reward.write_text(RAISES_AT_STEP_2 if name == "raises" else RANDOM_LENGTH_REWARD)
        recipe = small_recipe(folder, model, reward, *COMMON, *changes)
        is_sharded = name == "sharded" and "WORLD_SIZE" in os.environ
        with sharded() if is_sharded else nullcontext():
            results.append(rehearse(recipe, parent=folder / "runs", name=name))
    return results


def main(folder: str, model: str, *names: str) -> None:
    """Run them all; an error is one line for each process."""
    try:
        run_all(Path(folder), model, names)
    except RehearsalError as error:
        print(f"process {os.environ['RANK']}: {error.what}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
