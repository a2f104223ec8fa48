"""Everything a probe's samples say, with intervals.

Solved means graded above 0, as `local_positive_share` counts. A dead prompt is one whose samples
all got the same grade, as `local_groups_all_right` and `local_groups_all_wrong` count: it can't
teach, whatever the grade is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sim.metrics.step import ANSWER_FOUND
from sim.probe.chances import pass_at
from sim.probe.first_step import FirstStep, predict
from sim.probe.intervals import Estimate, mean_over_prompts, share_of_prompts
from sim.probe.lengths import Lengths, lengths_of, percentile
from sim.probe.mixed import MixedGroups
from sim.probe.sample import ProbeSample
from sim.recipe import Settings

SCHEMA_VERSION = 1
GROUP_SIZES = range(2, 17)
"""What trainingSamplePerPrompt may be (Bedrock API)."""
FAULT_SHARE_MAX = 0.05
"""Above this share of samples without an answer a probe says that it failed."""
BINS = ("never", "up to 25 %", "25 to 50 %", "50 to 75 %", "over 75 %", "always")

Kind = Literal["always", "never", "mixed"]


@dataclass(frozen=True)
class PromptResult:
    """What one prompt's samples came to."""

    id: str
    samples: int
    """Graded ones."""
    solved: int
    reward_mean: float
    kind: Kind


Level = Literal["stop", "warn", "note"]


@dataclass(frozen=True)
class Advice:
    """One remark: how grave, what, and by whose word."""

    level: Level
    words: str
    source: str


@dataclass(frozen=True)
class ProbeReport:
    """What `rft probe` found out."""

    recipe: str
    model: str
    """What was sampled."""
    is_local: bool
    prompts_asked: int
    samples_per_prompt: int
    graded: int
    faults: dict[str, int]
    """Samples without an answer, by reason."""
    faulted_prompts: tuple[str, ...]
    """Ids of the prompts that lack at least one answer."""
    missing: int
    """Samples without a grade, those never asked for included."""
    success: Estimate
    reward: Estimate
    pass_at_k: dict[int, Estimate]
    histogram: dict[str, int]
    """Prompts by the share of their samples that was solved."""
    always: Estimate
    never: Estimate
    mixed_groups: dict[int, Estimate | None]
    """Expected share of mixed groups by trainingSamplePerPrompt."""
    first_step: FirstStep
    lengths: Lengths | None
    prompt_tokens_p99: int | None
    parse_failures: Estimate | None
    grader_seconds: Estimate | None
    """Of the handler, per answer."""
    max_tokens: int
    """inferenceMaxTokens of the probe."""
    prompts: tuple[PromptResult, ...]
    advice: tuple[Advice, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether few enough samples failed."""
        return self.missing <= FAULT_SHARE_MAX * self.prompts_asked * self.samples_per_prompt

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {"probe_schema": SCHEMA_VERSION, "ok": self.ok, **asdict(self)}


def summarise(
    samples: Sequence[ProbeSample],
    *,
    recipe: str,
    settings: Settings,
    model: str,
    is_local: bool,
    prompts_asked: int,
    samples_per_prompt: int,
) -> ProbeReport | None:
    """Return what the samples say; None where not one of them was graded."""
    graded_P = _by_prompt([s for s in samples if s.grade is not None])
    if not graded_P:
        return None
    grades_P_K = [[s.grade for s in group if s.grade is not None] for group in graded_P]
    results = tuple(_result(group) for group in graded_P)
    mixed = MixedGroups(grades_P_K)
    kinds = Counter(result.kind for result in results)
    solved_shares = [result.solved / result.samples for result in results]
    return ProbeReport(
        recipe=recipe,
        model=model,
        is_local=is_local,
        prompts_asked=prompts_asked,
        samples_per_prompt=samples_per_prompt,
        graded=sum(len(group) for group in graded_P),
        faults=dict(Counter(s.fault for s in samples if s.fault is not None)),
        faulted_prompts=tuple(dict.fromkeys(s.prompt_id for s in samples if s.fault is not None)),
        missing=prompts_asked * samples_per_prompt - sum(len(group) for group in graded_P),
        success=_mean(solved_shares, is_share=True),
        reward=_mean([result.reward_mean for result in results], is_share=_zero_one(grades_P_K)),
        pass_at_k=_pass_at_k(results, samples_per_prompt),
        histogram=_histogram(results),
        always=_share(kinds["always"], len(results)),
        never=_share(kinds["never"], len(results)),
        mixed_groups={
            size: share.estimate(len(results)) if (share := mixed.share(size)) else None
            for size in GROUP_SIZES
        },
        first_step=predict(
            grades_P_K, batch=settings.batch_size, group=settings.samples_per_prompt
        ),
        lengths=lengths_of(graded_P, limit=settings.inference_max_tokens),
        prompt_tokens_p99=_prompt_tokens_p99(graded_P),
        parse_failures=_parse_failures(graded_P),
        grader_seconds=_grader_seconds(graded_P),
        max_tokens=settings.inference_max_tokens,
        prompts=results,
    )


def _by_prompt(samples: Sequence[ProbeSample]) -> list[list[ProbeSample]]:
    groups: dict[int, list[ProbeSample]] = {}
    for sample in samples:
        groups.setdefault(sample.prompt, []).append(sample)
    return list(groups.values())


def _result(group: Sequence[ProbeSample]) -> PromptResult:
    grades = [float(s.grade or 0.0) for s in group]
    solved = sum(grade > 0 for grade in grades)
    alike = all(grade == grades[0] for grade in grades)
    kind: Kind = ("always" if grades[0] > 0 else "never") if alike else "mixed"
    return PromptResult(group[0].prompt_id, len(grades), solved, sum(grades) / len(grades), kind)


def _zero_one(grades_P_K: Sequence[Sequence[float]]) -> bool:
    return all(grade in (0, 1) for grades_K in grades_P_K for grade in grades_K)


def _mean(values: Sequence[float], *, is_share: bool) -> Estimate:
    found = mean_over_prompts(values, is_share=is_share)
    assert found is not None
    return found


def _share(count: int, of: int) -> Estimate:
    found = share_of_prompts(count, of)
    assert found is not None
    return found


def _pass_at_k(results: Sequence[PromptResult], samples: int) -> dict[int, Estimate]:
    sizes = [k for k in (1, 2, 4, 8, 16, 32, 64) if k < samples] + [samples]
    found = {}
    for k in sizes:
        chances = [
            pass_at(k, solved=r.solved, samples=r.samples) for r in results if r.samples >= k
        ]
        if chances:
            found[k] = _mean(chances, is_share=True)
    return found


def _histogram(results: Sequence[PromptResult]) -> dict[str, int]:
    counts = dict.fromkeys(BINS, 0)
    for result in results:
        counts[_bin(result.solved, result.samples)] += 1
    return counts


def _bin(solved: int, samples: int) -> str:
    if solved == 0:
        return BINS[0]
    if solved == samples:
        return BINS[-1]
    return BINS[1 + min(3, -(-4 * solved // samples) - 1)]


def _prompt_tokens_p99(graded_P: Sequence[Sequence[ProbeSample]]) -> int | None:
    known = [group[0].prompt_tokens for group in graded_P]
    counts = [tokens for tokens in known if tokens is not None]
    return percentile(counts, 99) if counts else None


def _grader_seconds(graded_P: Sequence[Sequence[ProbeSample]]) -> Estimate | None:
    known_P = [[s.grader_s for s in group if s.grader_s is not None] for group in graded_P]
    return mean_over_prompts([sum(k) / len(k) for k in known_P if k], is_share=False)


def _parse_failures(graded_P: Sequence[Sequence[ProbeSample]]) -> Estimate | None:
    """Return the share of samples in which the reward found nothing to grade, if it says so."""
    shares = []
    for group in graded_P:
        found = [value for sample in group for value in _answer_found(sample.components)]
        if found:
            shares.append(sum(value == 0 for value in found) / len(found))
    return mean_over_prompts(shares, is_share=True)


def _answer_found(components: Sequence[Mapping[str, Any]]) -> list[float]:
    return [
        entry["value"]
        for entry in components
        if entry["name"] == ANSWER_FOUND and entry["type"] == "Metric"
    ]
