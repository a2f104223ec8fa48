"""Answers of the recipe's local model, sampled as the first step of a run samples them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial

from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.engine.sampler import (
    TOKENS_PER_BATCH,
    Far,
    Sampler,
    SamplingParams,
    far_of_part,
)
from bedrock_rft_sim.probe.sample import ProbeSample, Wanted
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.recipe.extras import demand_extras


class LocalModel:
    """Samples prompts in batches that do not depend on what is already done.

    Each batch has a seed of its own, so a killed probe goes on to the samples of an unbroken one.
    """

    def __init__(self, recipe: Recipe, *, samples: int, far: Far | None = None) -> None:
        """Load the model; `far` gets how many answers of all have ended."""
        demand_extras(recipe)
        quiet.silence_for(recipe)
        self._recipe = recipe
        self._samples, self._far = samples, far
        self._chat = load_tokenizer(recipe.model)
        device = choose_device(recipe.local.device, recipe.local.dtype)
        settings = recipe.settings
        engine = recipe.local.engine
        self._sampler = Sampler.load(
            recipe.model,
            device,
            engine="auto" if engine == "vllm" else engine,  # TRL's vLLM belongs to a training
            quantization=settings.quantization,
        )
        tokens = settings.max_prompt_length + settings.inference_max_tokens
        self._batch = max(1, TOKENS_PER_BATCH // (tokens * samples))

    def samples_of(
        self, rows: Sequence[Row], wanted: Wanted, *, last: Collection[int] = ()
    ) -> Iterator[list[ProbeSample]]:
        """Yield the wanted answers, one batch of prompts at a time, in their own order."""
        del last  # a batch's random numbers depend on its place
        for start in range(0, len(rows), self._batch):
            places = range(start, min(start + self._batch, len(rows)))
            if any(wanted(place, g) for place in places for g in range(self._samples)):
                yield [s for s in self._sample(rows, places) if wanted(s.prompt, s.sample)]

    def _sample(self, rows: Sequence[Row], places: range) -> list[ProbeSample]:
        settings, options = self._recipe.settings, plan.template_options(self._recipe)
        prompts = {
            place: self._chat.encode(self._chat.render(rows[place].messages, **options))
            for place in places
        }
        keys = [(place, g) for place in places for g in range(self._samples)]
        params = SamplingParams.of_rollouts(settings, seed=_seed(settings.seed, places.start))
        started = time.perf_counter()
        before, of = places.start * self._samples, len(rows) * self._samples
        far = self._far and partial(far_of_part, self._far, before, len(keys), of)
        answers = self._sampler.sample([prompts[place] for place, _ in keys], params, far=far)
        seconds = (time.perf_counter() - started) / len(answers)
        return [
            ProbeSample(
                prompt_id=rows[place].id,
                prompt=place,
                sample=sample,
                text=answer.text,
                tokens=len(answer.tokens),
                prompt_tokens=len(prompts[place]),
                stop_reason=answer.stop_reason,
                sampling_s=seconds,
                engine=self._sampler.engine.name,
            )
            for (place, sample), answer in zip(keys, answers, strict=True)
        ]


def _seed(recipe_seed: int, start: int) -> int:
    """Return a seed of the probe's own, so that it does not repeat the run it predicts."""
    digest = hashlib.sha256(f"probe {recipe_seed} {start}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
