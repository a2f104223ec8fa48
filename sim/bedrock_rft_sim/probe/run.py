"""Sample a model k times for n prompts, grade the answers, and keep each as soon as it is graded.

It trains nothing. Prompts are drawn at random from those a run would train on, with the recipe's
seed, so that what holds for them holds, within the intervals, for all.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bedrock_rft_sim import files
from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.data.fingerprint import rows_hash
from bedrock_rft_sim.data.plan import Data
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.errors import EndpointError, RecipeError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import path_hash, reward_of
from bedrock_rft_sim.grader.samples import to_sample
from bedrock_rft_sim.probe.address import is_aws
from bedrock_rft_sim.probe.endpoint import Endpoint
from bedrock_rft_sim.probe.local_model import LocalModel
from bedrock_rft_sim.probe.report import Probed, ProbeReport, summarise
from bedrock_rft_sim.probe.sample import GivenUpError, ProbeSample, SampleFile, SampleSource
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs.observer import Doing, Stage

PROMPTS = 64
SAMPLES = 8
SAMPLES_MIN = 2
NAME_DIGITS = 8


@dataclass(frozen=True)
class ProbePlan:
    """What a probe will ask."""

    recipe: Recipe
    data: Data
    rows: tuple[Row, ...]
    """The prompts, in the order in which they are sampled."""
    samples: int


def plan_probe(
    recipe: Recipe,
    *,
    prompts: int = PROMPTS,
    samples: int = SAMPLES,
    temperature: float | None = None,
    elsewhere: bool = False,
) -> ProbePlan:
    """Read the recipe's data and draw the prompts, all of them if there are no more.

    `temperature`: instead of the run's own.
    `elsewhere`: the model runs behind an endpoint, so what this machine alone changes
    (local.overrides, local.maxSteps) is left out.

    Raises:
        RehearsalError: the data can't be used, or the numbers are too small.
    """
    if prompts < 1 or samples < SAMPLES_MIN:
        raise RecipeError(
            "a probe needs prompts, and samples that can differ",
            where="--prompts, --samples",
            expected=f"at least 1 prompt and {SAMPLES_MIN} samples",
            found=f"{prompts} and {samples}",
        )
    recipe = recipe.as_sent() if elsewhere else recipe
    if temperature is not None:
        recipe = replace(recipe, settings=replace(recipe.settings, temperature=temperature))
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    count = min(prompts, len(data.train))
    chosen = random.Random(f"probe {recipe.settings.seed}").sample(data.train, count)  # noqa: S311
    return ProbePlan(recipe, data, tuple(chosen), samples)


def default_name(planned: ProbePlan, endpoint: Endpoint | None) -> str:
    """Return a name for the result that no other probe of the recipe has."""
    identity = files.dump(_identity(planned, endpoint)).encode()
    return f"{planned.recipe.name}-{hashlib.sha256(identity).hexdigest()[:NAME_DIGITS]}.json"


def samples_path(out: Path) -> Path:
    """Return where the samples of a probe stand, beside its result."""
    return out.with_name(f"{out.stem}.samples.jsonl")


def probe(
    planned: ProbePlan,
    *,
    out: Path,
    endpoint: Endpoint | None = None,
    say: Callable[[str], None] = lambda _words: None,
    doing: Doing = lambda _stage: None,
) -> ProbeReport:
    """Sample what is missing in the file of samples beside `out`; return what all of them say.

    `say` gets what happens, in words, `doing` what goes on and how far it is.

    Raises:
        EndpointError: there is not one answer.
        RehearsalError: the model, the reward or the disk can't be used.
    """
    recipe = planned.recipe
    file = SampleFile(samples_path(out), _identity(planned, endpoint))
    given_up = _sample(planned, file, endpoint, say, doing)
    report = summarise(
        file.samples,
        probed=Probed(
            recipe=recipe.name,
            model=recipe.local.model
            if endpoint is None
            else f"{endpoint.model} at {endpoint.shown}",
            is_local=endpoint is None,
            on_bedrock=endpoint is not None and is_aws(endpoint.url),
            prompts_asked=len(planned.rows),
            samples_per_prompt=planned.samples,
            given_up=given_up,
        ),
        settings=recipe.settings,
    )
    if report is None:
        raise _nothing(file, endpoint)
    return report


def save_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write the report of a probe, as JSON-ready data, with what else is said of it.

    Raises:
        RunFolderError: the disk refuses.
    """
    files.write_file(out, files.dump(record, indent=2) + "\n", "write the probe")


def _sample(
    planned: ProbePlan,
    file: SampleFile,
    endpoint: Endpoint | None,
    say: Callable[[str], None],
    doing: Doing,
) -> str | None:
    """Sample what is missing, keep it as it comes; return why the rest was given up."""
    rows, total = planned.rows, len(planned.rows) * planned.samples
    failed = file.failed()
    if len(file.samples) - len(failed) == total:
        return None
    what = f"probing {planned.recipe.local.model if endpoint is None else endpoint.model}"

    def far(done: int, share: float) -> None:
        doing(Stage(what, done, total, share))

    far(0, 0)
    source: SampleSource = endpoint or LocalModel(planned.recipe, samples=planned.samples, far=far)
    failed_before = {sample.prompt for sample in failed}

    def wanted(prompt: int, sample: int) -> bool:
        return not file.has(prompt, sample)

    with Grader(reward_of(planned.recipe)) as grader:
        try:
            for samples in source.samples_of(rows, wanted, last=failed_before):
                file.append(_graded(grader, rows, samples))
                say(_progress(file, total))
                far(len(file.samples), len(file.samples) / total)
        except GivenUpError as given_up:
            return str(given_up)
    return None


def _progress(file: SampleFile, of: int) -> str:
    failed = len(file.failed())
    words = f"{len(file.samples) - failed} of {of} samples graded"
    return f"{words}, {failed} failed" if failed else words


def _graded(
    grader: Grader, rows: Sequence[Row], samples: Sequence[ProbeSample]
) -> Iterator[ProbeSample]:
    """Grade the samples that hold an answer; yield those without one as they are."""
    answered = [sample for sample in samples if sample.text is not None]
    if answered:
        batch = grader.grade([to_sample(rows[s.prompt], s.text or "", s.sample) for s in answered])
        seconds = [each.duration_s / each.samples for each in batch.invocations
                   for _ in range(each.samples)]  # fmt: skip
        for sample, grade, grader_s in zip(answered, batch.grades, seconds, strict=True):
            components = [vars(part) for part in grade.components]
            yield replace(sample, grade=grade.score, components=components, grader_s=grader_s)
    yield from (sample for sample in samples if sample.text is None)


def _identity(planned: ProbePlan, endpoint: Endpoint | None) -> dict[str, Any]:
    """Return what makes two probes the same one."""
    recipe, settings = planned.recipe, planned.recipe.settings
    return {
        "model": recipe.model if endpoint is None else endpoint.model,
        "endpoint": None if endpoint is None else endpoint.shown,
        "prompts": rows_hash(planned.rows),
        "samples": planned.samples,
        "reward": path_hash(recipe.reward_path),
        "payload_profile": recipe.local.payloadProfile,
        "max_prompt_length": settings.max_prompt_length,
        "inference_max_tokens": settings.inference_max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "template_options": plan.template_options(recipe),
        "seed": settings.seed,
    }


def _nothing(file: SampleFile, endpoint: Endpoint | None) -> EndpointError:
    faults = [sample.fault for sample in file.samples if sample.fault is not None]
    return EndpointError(
        "not one sample was answered",
        where=endpoint.shown if endpoint else str(file.path),
        expected="an OpenAI-compatible chat completion",
        found=faults[-1] if faults else "no reply",
        hint="mend what the endpoint names, or check its address and the model's name; then start "
        "the same command again",
    )
