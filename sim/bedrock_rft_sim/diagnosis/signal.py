"""Was there anything to learn from: differing rewards, a base model neither finished nor hopeless.

GRPO learns from groups whose answers got different grades: where all grades of a group are equal,
every advantage is 0.

Sources: verl (advantage of equal rewards); Amazon Nova customization guide, RFT monitoring (over
95 % solved RFT is unnecessary, at 0 % do SFT first, under 5 % positive rollouts it struggles).
"""

from __future__ import annotations

from statistics import fmean
from typing import Any, Final

from bedrock_rft_sim.contract.limits import BASE_SUCCESS_MAX, BASE_SUCCESS_MIN
from bedrock_rft_sim.contract.sources import NOVA_MONITORING, NOVA_RFT, VERL
from bedrock_rft_sim.diagnosis.answers import SUSPECT_SHARE
from bedrock_rft_sim.diagnosis.evidence import Evidence, end_means
from bedrock_rft_sim.diagnosis.finding import Diagnostic, Finding
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.stats.shares import percent

WEAK_SHARE: Final = 0.05
"""Assumed: below this share of mixed groups a run hardly had a signal."""
BASE_STEPS: Final = 3
"""Assumed: the first three steps still show the base model."""
DRIED_UP_SHARE: Final = 0.10
"""Assumed: with fewer mixed groups than this at the end, further steps teach next to nothing."""

SIGNAL: Final = Diagnostic("learning signal", source=f"{VERL}; {NOVA_MONITORING}")
DRIED_UP: Final = Diagnostic(
    "mixed groups over time",
    "End earlier, or add prompts that the model still gets wrong now and then.",
)
SATURATED: Final = Diagnostic(
    "saturation",
    "Take harder prompts or a stricter reward; the Nova guide calls RFT unnecessary here.",
    NOVA_RFT,
)
HOPELESS: Final = Diagnostic(
    "base success",
    "Fine-tune on solved examples first, take easier prompts or a stronger model, or give partial "
    "credit.",
    NOVA_MONITORING,
)
FOUND_ITS_WAY: Final = (
    "It found its way here, but another seed may not; easier prompts first would be safer."
)

SUSPECTS: Final = {
    "local_truncated_share": (
        "{} of the rollouts were cut off by inferenceMaxTokens.",
        "raise inferenceMaxTokens or ask for shorter answers",
    ),
    "local_parse_failures": (
        "The grader found no answer in {} of the rollouts (parse failures).",
        "let the prompt ask for the very format that the reward looks for",
    ),
}
"""By metric: the likely cause of a missing signal, with its share, and its remedy."""
_CHECK: Final = "run `rft check` to see how the reward reads the reference answers"
_HARDER: Final = "or take harder prompts or a stricter reward"
_EASIER: Final = (
    "read a few answers under rollouts/, then take a stronger model or easier prompts, "
    "or fine-tune on solved examples first"
)


def learning_signal(evidence: Evidence) -> Finding:
    """Whether the groups' rewards differed, and if hardly any did, why."""
    trained = [line for line in evidence.lines if is_number(line.get("local_groups_mixed"))]
    steps = Evidence(trained)
    mixed = steps.mean("local_groups_mixed")
    if mixed is None:
        return SIGNAL.unknown("No training step was recorded, so no learning signal.")
    if mixed >= WEAK_SHARE and not _is_hopeless(steps):
        says = f"{percent(mixed)} of the prompt groups had differing rewards, so GRPO can learn."
        return SIGNAL.clear(f"Learning signal: {says}", {"mixed_groups": mixed})
    suspects = [
        (cause.format(percent(share)), remedy)
        for name, (cause, remedy) in SUSPECTS.items()
        if (share := steps.mean(name)) is not None and share >= SUSPECT_SHARE
    ]
    head = _nothing(steps) if mixed == 0 else _hardly(steps, mixed)
    says = " ".join([head, *(cause for cause, _ in suspects)])
    remedy = "; ".join(_remedies(steps, [remedy for _, remedy in suspects])) + "."
    return SIGNAL.fires("problem", says, {"mixed_groups": mixed}, remedy[0].upper() + remedy[1:])


def signal_record(signal: Finding) -> dict[str, Any]:
    """Return what run.json and `rft run --json` say of a learning signal."""
    return {"ok": signal.severity == "clear", "words": signal.words}


def _nothing(steps: Evidence) -> str:
    low, high = _grades(steps)
    effect = "so every advantage was 0 and nothing pushed the policy anywhere."
    if low is not None and low == high:
        rollouts = int(sum(steps.values("local_rollouts")))
        count = f"the {rollouts:,} rollouts" if rollouts else "the rollouts"
        return f"No learning signal: every one of {count} was graded {low:g}, {effect}"
    right = steps.mean("local_groups_all_right")
    above = "" if right is None else f" ({percent(right)} of the groups above 0)"
    return f"No learning signal: within each group all answers got the same grade{above}, {effect}"


def _hardly(steps: Evidence, mixed: float) -> str:
    positive = _positive(steps)
    if mixed < WEAK_SHARE or positive is None:
        return (
            f"Hardly any learning signal: only {percent(mixed)} of the prompt groups had differing "
            "rewards; in all others every advantage was 0."
        )
    return (
        f"No learning signal to speak of: only {percent(positive)} of the last rollouts were "
        f"graded above 0 (under {percent(BASE_SUCCESS_MIN)} training struggles), and in "
        f"{percent(1 - mixed)} of the groups every advantage was 0."
    )


def _is_hopeless(steps: Evidence) -> bool:
    """Whether successes were, and to the end stayed, too rare to learn from.

    Says nothing of a reward that also gives grades below 0: there a grade of 0 is no failure.
    """
    low, positive = _grades(steps)[0], _positive(steps)
    return low is not None and low >= 0 and positive is not None and positive < BASE_SUCCESS_MIN


def _positive(steps: Evidence) -> float | None:
    """Return the share of rollouts graded above 0 in the last third of the steps."""
    last_third = steps.lines[-max(1, len(steps.lines) // 3) :]
    return Evidence(last_third).mean("local_positive_share")


def _grades(steps: Evidence) -> tuple[float | None, float | None]:
    """Return the lowest and the highest grade given; None where it was not recorded."""
    return (
        min(steps.values("critic_rewards_min"), default=None),
        max(steps.values("critic_rewards_max"), default=None),
    )


def _remedies(steps: Evidence, of_suspects: list[str]) -> list[str]:
    low, high = _grades(steps)
    if low is not None and low > 0 and low == high:
        return [_CHECK, "make sure that it tells a wrong answer from a right one", _HARDER]
    right = steps.mean("local_groups_all_right")
    if right is not None and right >= BASE_SUCCESS_MAX:
        return ["the model already solves these prompts or the reward is too lenient", _HARDER]
    return [*of_suspects, _CHECK, _EASIER]


def signal_dried_up(evidence: Evidence) -> Finding:
    """The share of mixed groups at the end."""
    mixed = evidence.values("local_groups_mixed")
    if len(mixed) < 2 * BASE_STEPS:
        return DRIED_UP.unknown("Too few steps to compare the beginning with the end.")
    first, last = ends = end_means(mixed)
    says = f"Groups with differing rewards: {percent(first)} at first, {percent(last)} at the end."
    if last >= DRIED_UP_SHARE or first < DRIED_UP_SHARE:
        return DRIED_UP.clear(says, ends._asdict())
    says += " The rest of the groups had advantages of 0 and taught nothing."
    return DRIED_UP.fires("note", says, ends._asdict())


def base_model_saturated(evidence: Evidence) -> Finding:
    """The model already solved the task before training."""
    rewards, span = evidence.values("critic_rewards_mean"), evidence.reward_range()
    if not rewards or span is None:
        return SATURATED.unknown(
            "No range of grades was recorded to measure the base model against."
        )
    base = (fmean(rewards[:BASE_STEPS]) - span[0]) / (span[1] - span[0])
    says = f"The base model earned {percent(base)} of the reward's range in the first steps."
    if base <= BASE_SUCCESS_MAX:
        return SATURATED.clear(says, {"base": base})
    says += f" Above {percent(BASE_SUCCESS_MAX)} there is hardly anything left to learn."
    return SATURATED.fires("warning", says, {"base": base})


def base_model_hopeless(evidence: Evidence) -> Finding:
    """The base model almost never succeeded."""
    positive = evidence.values("local_positive_share")
    low = evidence.values("critic_rewards_min")
    if not positive or not low:
        return HOPELESS.unknown("The share of rollouts graded above 0 was not recorded.")
    if min(low) < 0:
        return HOPELESS.unknown("Grades below 0 were given, so a grade of 0 is no failure.")
    base, later = fmean(positive[:BASE_STEPS]), end_means(positive).last_fifth
    numbers = {"base": base, "last_fifth": later}
    says = f"{percent(base)} of the first rollouts were graded above 0"
    if base >= BASE_SUCCESS_MIN:
        return HOPELESS.clear(f"{says}.", numbers)
    says += f", under the {percent(BASE_SUCCESS_MIN)} below which training struggles; "
    says += f"{percent(later)} at the end."
    if later >= BASE_SUCCESS_MIN:
        return HOPELESS.fires("note", says, numbers, FOUND_ITS_WAY)
    return HOPELESS.fires("problem", says, numbers)
