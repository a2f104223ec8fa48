"""Everything a probe's samples say, with intervals.

Solved means graded with the top score: 1, which reference answers must earn, or the highest grade
seen where a reward goes beyond 1, so that a task is rather called too hard than solved. Positive
means graded above 0, as `local_positive_share` counts: with partial credit these are far apart.
A dead prompt is one whose samples all got the same grade, as `local_groups_all_right` and
`local_groups_all_wrong` count: it can't teach, whatever the grade is. Whether a prompt is dead, or
always or never solved, is said only where none of its samples is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bedrock_rft_sim.probe import intervals
from bedrock_rft_sim.probe.first_step import FirstStep, predict, scale_of
from bedrock_rft_sim.probe.lengths import ResponseLengths, cut_share, lengths_of
from bedrock_rft_sim.probe.mixed import MixedGroups, pass_at
from bedrock_rft_sim.probe.sample import ProbeSample
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.runs.metrics.step import answers_found
from bedrock_rft_sim.stats.shares import percentile

SCHEMA_VERSION = 2
GROUP_SIZES = range(2, 17)
"""What trainingSamplePerPrompt may be (Bedrock API)."""
FAULT_SHARE_MAX = 0.05
"""Above this share of samples without an answer a probe says that it failed."""
TOP_SCORE = 1.0
"""The score that reference answers must earn (AWS Machine Learning Blog, RFT best practices)."""
ROUNDING = 1e-9  # scores this near the top are the top
BINS = ("never", "up to 25 %", "25 to 50 %", "50 to 75 %", "over 75 %", "always")

Kind = Literal["always", "never", "alike", "mixed", "open"]
"""All samples solved; none above 0; all at one grade between; unequal grades; alike so far, but
samples are missing. The first three are dead."""
DEAD: tuple[Kind, ...] = ("always", "never", "alike")


@dataclass(frozen=True)
class PromptResult:
    """What one prompt's samples came to."""

    id: str
    samples: int
    """Graded ones."""
    solved: int
    positive: int
    reward_mean: float
    kind: Kind


@dataclass(frozen=True)
class SamplingTime:
    """How long generating took on this machine; grading and loading are not counted."""

    seconds: float
    answers: int
    """Those whose seconds are known."""
    engines: tuple[str, ...]
    """The back ends that answered, as local.engine names them."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was sampled, of which model, and how it went."""

    recipe: str
    model: str
    """What was sampled."""
    is_local: bool
    on_bedrock: bool
    """Whether the probed endpoint is one of AWS's."""
    prompts_asked: int
    samples_per_prompt: int
    given_up: str | None = None
    """Why the rest was not sampled."""


@dataclass(frozen=True, kw_only=True)
class ProbeReport(Probed):
    """What `rft probe` found out."""

    graded: int
    faults: dict[str, int]
    """Samples without an answer, by reason."""
    request_changes: tuple[str, ...]
    """Parameters that the endpoint refused, and what was sent instead."""
    faulted_prompts: tuple[str, ...]
    """Ids of the prompts that lack at least one answer."""
    missing: int
    """Samples without a grade, those never sampled included."""
    solved_at: float
    """The grade from which a sample counts as solved."""
    success: intervals.Share
    """Share of samples solved."""
    positive: intervals.Share
    """Share of samples graded above 0."""
    reward: intervals.Share
    pass_at_k: dict[int, intervals.Share]
    histogram: dict[str, int]
    """Prompts without a missing sample, by the share solved."""
    always: intervals.Share | None
    """Share of the prompts whose samples were all solved; None where every prompt lacks some."""
    never: intervals.Share | None
    """Share of the prompts of which no sample was solved."""
    dead: intervals.Share | None
    """Share of the prompts whose samples were all graded alike."""
    mixed_groups: dict[int, intervals.Share | None]
    """Expected share of mixed groups by trainingSamplePerPrompt."""
    first_step: FirstStep
    lengths: ResponseLengths | None
    cut: intervals.Share | None
    """Share of answers cut at the limit, also where tokens are not counted."""
    prompt_tokens_p99: int | None
    parse_failures: intervals.Share | None
    grader_seconds: intervals.Estimate | None
    """Of the handler, per answer."""
    max_tokens: int
    """inferenceMaxTokens of the probe."""
    temperature: float
    """That was sampled at."""
    sampling: SamplingTime | None
    """None for an endpoint."""
    prompts: tuple[PromptResult, ...]

    @property
    def ok(self) -> bool:
        """Whether few enough samples failed."""
        return self.missing <= FAULT_SHARE_MAX * self.prompts_asked * self.samples_per_prompt

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {"probe_schema": SCHEMA_VERSION, "ok": self.ok, **asdict(self)}


def summarise(
    samples: Sequence[ProbeSample], *, probed: Probed, settings: Settings
) -> ProbeReport | None:
    """Return what the samples say; None where not one of them was graded."""
    graded_P = _by_prompt([s for s in samples if s.grade is not None])
    if not graded_P:
        return None
    grades_P_K = [[s.grade for s in group if s.grade is not None] for group in graded_P]
    solved_at = max(TOP_SCORE, *(grade for grades_K in grades_P_K for grade in grades_K))
    wanted = probed.samples_per_prompt
    results = tuple(_result(group, wanted, solved_at) for group in graded_P)
    whole = [result for result in results if result.samples == wanted]
    mixed = MixedGroups(grades_P_K)
    graded = sum(len(group) for group in graded_P)
    faulted = [s for s in samples if s.fault is not None]
    return ProbeReport(
        **vars(probed),
        graded=graded,
        faults=dict(Counter(str(s.fault) for s in faulted)),
        request_changes=tuple(dict.fromkeys(each for s in samples for each in s.request_changes)),
        faulted_prompts=tuple(dict.fromkeys(s.prompt_id for s in faulted)),
        missing=probed.prompts_asked * wanted - graded,
        solved_at=solved_at,
        success=intervals.share_over_prompts([r.solved / r.samples for r in results]),
        positive=intervals.share_over_prompts([r.positive / r.samples for r in results]),
        reward=intervals.mean_within([r.reward_mean for r in results], *scale_of(grades_P_K)),
        pass_at_k=_pass_at_k(results, wanted),
        histogram=_histogram(whole),
        always=_mean(r.solved == r.samples for r in whole),
        never=_mean(r.solved == 0 for r in whole),
        dead=_mean(r.kind in DEAD for r in whole),
        mixed_groups={
            size: share.estimate if (share := mixed.share(size)) else None for size in GROUP_SIZES
        },
        first_step=predict(
            grades_P_K, batch=settings.batch_size, group=settings.samples_per_prompt
        ),
        lengths=lengths_of(graded_P, limit=settings.inference_max_tokens),
        cut=cut_share(graded_P),
        prompt_tokens_p99=_prompt_tokens_p99(graded_P),
        parse_failures=_parse_failures(graded_P),
        grader_seconds=_grader_seconds(graded_P),
        max_tokens=settings.inference_max_tokens,
        temperature=settings.temperature,
        sampling=_sampling(samples) if probed.is_local else None,
        prompts=results,
    )


def _mean(values_P: Iterable[float]) -> intervals.Share | None:
    """Return the mean over prompts, of a truth too; None where there is no prompt."""
    known_P = list(map(float, values_P))
    return intervals.share_over_prompts(known_P) if known_P else None


def _by_prompt(samples: Sequence[ProbeSample]) -> list[list[ProbeSample]]:
    groups: dict[int, list[ProbeSample]] = {}
    for sample in samples:
        groups.setdefault(sample.prompt, []).append(sample)
    return list(groups.values())


def _result(group: Sequence[ProbeSample], wanted: int, solved_at: float) -> PromptResult:
    grades = [s.grade for s in group if s.grade is not None]
    return PromptResult(
        id=group[0].prompt_id,
        samples=len(grades),
        solved=sum(grade >= solved_at - ROUNDING for grade in grades),
        positive=sum(grade > 0 for grade in grades),
        reward_mean=sum(grades) / len(grades),
        kind=_kind(grades, wanted, solved_at),
    )


def _kind(grades: Sequence[float], wanted: int, solved_at: float) -> Kind:
    if any(grade != grades[0] for grade in grades):
        return "mixed"
    if len(grades) < wanted:
        return "open"
    if grades[0] >= solved_at - ROUNDING:
        return "always"
    return "alike" if grades[0] > 0 else "never"


def _pass_at_k(results: Sequence[PromptResult], samples: int) -> dict[int, intervals.Share]:
    sizes = [k for k in (1, 2, 4, 8, 16, 32, 64) if k < samples] + [samples]
    found = {
        k: _mean(pass_at(k, solved=r.solved, samples=r.samples) for r in results if r.samples >= k)
        for k in sizes
    }
    return {k: share for k, share in found.items() if share is not None}


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
    return percentile(counts, 0.99) if counts else None


def _grader_seconds(graded_P: Sequence[Sequence[ProbeSample]]) -> intervals.Estimate | None:
    known_P = [[s.grader_s for s in group if s.grader_s is not None] for group in graded_P]
    return intervals.mean_over_prompts([sum(k) / len(k) for k in known_P if k])


def _parse_failures(graded_P: Sequence[Sequence[ProbeSample]]) -> intervals.Share | None:
    """Return the share of samples in which the reward found nothing to grade, if it says so."""
    found_P = [
        [v for sample in group for v in answers_found(sample.components)] for group in graded_P
    ]
    return _mean(found.count(0) / len(found) for found in found_P if found)


def _sampling(samples: Sequence[ProbeSample]) -> SamplingTime | None:
    known = [s.sampling_s for s in samples if s.sampling_s is not None]
    engines = tuple(sorted({s.engine for s in samples if s.engine is not None}))
    return SamplingTime(sum(known), len(known), engines) if known else None
