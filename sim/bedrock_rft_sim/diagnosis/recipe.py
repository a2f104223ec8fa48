"""Compare a recipe with the published starting points, knob by knob.

It changes nothing and fails nothing: each finding names its source, and where AWS's own documents
disagree it names both. `clear` is a value within the advice, `warning` one beside it, `note` one
for which the advice draws no line. Compared are the request's own values: what this machine alone
overrides never reaches Bedrock.
Where AWS gives words instead of a number (small data, simple tasks) the line drawn here says so.

Sources: AWS Machine Learning Blog on RFT best practices and on teaching Nova;
aws-samples/amazon-bedrock-samples; named in each finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bedrock_rft_sim.contract.knobs import LORA_LEARNING_RATE, hyperparameters
from bedrock_rft_sim.contract.limits import LAMBDA_TIMEOUT_S_DOCUMENTED, LAMBDA_TIMEOUT_S_MAX
from bedrock_rft_sim.contract.sources import (
    BEST_PRACTICES,
    HYPERPOD_RECIPES,
    LAMBDA_QUOTAS,
    SAMPLES,
    SERVICE_MODEL,
    TEACHING,
    UG_OPENAI_JOBS,
)
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data
from bedrock_rft_sim.diagnosis.finding import Finding, Severity
from bedrock_rft_sim.estimate import Measured
from bedrock_rft_sim.probe.lengths import P99_FACTOR
from bedrock_rft_sim.recipe import Recipe, Settings
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.stats.shares import percent, percentile

SMALL_DATA = 1000
"""Where small data ends, for the epochs; AWS does not say, so every finding that uses it does."""
EPOCHS_SMALL, EPOCHS_LARGER = (6, 12), (3, 6)
RECORDS_MOST_TASKS = (200, 5000)
BATCH_SIZE = 128
BATCH_SIZE_FAST = 16
BATCH_SIZE_OPEN_WEIGHT = 4
BATCH_ADVICE = {
    "bedrock": (
        BATCH_SIZE_FAST,
        f"{BATCH_SIZE} works well across tasks; more if the loss is erratic or the reward does not "
        f"improve, less if iterations take too long ({BATCH_SIZE_FAST} is Nova's least)",
        BEST_PRACTICES,
    ),
    "openai": (
        BATCH_SIZE_OPEN_WEIGHT,
        f"{BATCH_SIZE_OPEN_WEIGHT} in AWS's own jobs for open weights (Nova's minimum of "
        f"{BATCH_SIZE_FAST} does not hold there), {BATCH_SIZE} works well across tasks; more if "
        "the loss is erratic or the reward does not improve; AWS draws no line between",
        f"{UG_OPENAI_JOBS}; {SAMPLES}; {BEST_PRACTICES}",
    ),
}
"""By dialect: the least that is within the advice, the advice, and whose it is."""
TENFOLD = 10
SAMPLES_TYPICAL = (4, 8)
PROMPT_FACTOR = 2
TOKENS_SIMPLE, TOKENS_HARD = 1024, 4096
WORTH_IT = 1.1
"""A doubled group is worth naming when it raises the share of mixed groups by this factor."""


SEVERITIES: Final[dict[bool | None, Severity]] = {True: "clear", False: "warning", None: "note"}
"""By whether the recipe is within the advice; None where the advice draws no line."""
FOLLOWS: Final = {severity: follows for follows, severity in SEVERITIES.items()}


def diagnose_recipe(
    recipe: Recipe, data: Data, seen: Measured | None = None
) -> tuple[Finding, ...]:
    """Return a finding for every knob that AWS gives a starting point for."""
    sent = recipe.as_sent()
    names = {inner: name for name, inner in hyperparameters(recipe.dialect).items()}
    return (
        _records(data),
        _epochs(sent.settings, data, seen, names["epochs"]),
        _batch(sent, names["batch_size"]),
        *_learning_rate(sent, seen),
        _samples(sent, seen),
        _prompt_length(sent, data),
        *_answer_length(sent, seen),
        *_eval_interval(sent.settings, data, names["eval_interval"]),
        *_lambda_timeout(sent),
        _early_stopping(recipe),
    )


def _lambda_timeout(recipe: Recipe) -> Iterator[Finding]:
    seconds = recipe.local.lambda_.timeout
    if seconds > LAMBDA_TIMEOUT_S_DOCUMENTED:
        advised = (
            f"{LAMBDA_TIMEOUT_S_DOCUMENTED} s at most by the guides as of 2026-11-26; only the "
            f"service model has {LAMBDA_TIMEOUT_S_MAX:,} s, so try it on Lambda first"
        )
        source = f"{LAMBDA_QUOTAS}; {SERVICE_MODEL}"
        yield _point("local.lambda.timeout", f"{seconds:,} s", advised, False, source)


def point_as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding about a starting point as `rft check --json` words it."""
    return {
        "knob": finding.rule,
        "found": finding.says,
        "advised": finding.remedy,
        "follows": FOLLOWS[finding.severity],
        "source": finding.source,
        "seen": finding.seen,
    }


def _point(
    knob: str, found: str, advised: str, follows: bool | None, source: str, seen: str | None = None
) -> Finding:
    return Finding(knob, SEVERITIES[follows], found, remedy=advised, source=source, seen=seen)


def _value(recipe: Recipe, setting: str) -> str:
    """Return a setting as text, marked where the request leaves it out and AWS does not say."""
    value = getattr(recipe.settings, setting)
    assumed = recipe.provenance[setting].origin == "assumed"
    return f"{value:g} (left open, assumed)" if assumed else f"{value:g}"


def _records(data: Data) -> Finding:
    low, high = RECORDS_MOST_TASKS
    most = f"most tasks take {low:,} to {high:,}, complex ones 5,000 to 10,000"
    advised = f"try with 100 to 200, {most}"
    found, follows = f"{data.records:,}", data.records >= low
    return _point("training records", found, advised, follows, BEST_PRACTICES)


def _epochs(settings: Settings, data: Data, seen: Measured | None, name: str) -> Finding:
    is_small = data.records < SMALL_DATA
    low, high = EPOCHS_SMALL if is_small else EPOCHS_LARGER
    advised = (
        f"{low} to {high} for {'small' if is_small else 'larger'} data (drawn at {SMALL_DATA:,} "
        "records here, AWS gives no number); the samples start with 1 and raise it while "
        "validation still climbs"
    )
    follows = settings.epochs == 1 or low <= settings.epochs <= high
    source = f"{BEST_PRACTICES}; {SAMPLES}"
    return _point(name, str(settings.epochs), advised, follows, source, _climb(seen))


def _climb(seen: Measured | None) -> str | None:
    if seen is None or len(seen.validation) < 3:  # noqa: PLR2004
        return None
    *before, (step, last) = seen.validation
    best_step, best = max(before, key=lambda point: point[1])
    best_words = f"{best:.3f} after step {best_step}"
    if last > best:
        words = f"still climbed at its end ({best_words}, {last:.3f} after step {step})"
        return f"{seen.source}: validation {words}, so more steps may help"
    words = f"was best with {best_words} and ended at {last:.3f}"
    return f"{seen.source}: validation {words}, so more epochs are unlikely to help"


def _batch(recipe: Recipe, name: str) -> Finding:
    batch = recipe.settings.batch_size
    low, advised, source = BATCH_ADVICE[recipe.dialect]
    return _point(name, str(batch), advised, low <= batch <= BATCH_SIZE, source)


def _learning_rate(recipe: Recipe, seen: Measured | None) -> Iterator[Finding]:
    yield _multiplier(recipe) if recipe.dialect == "openai" else _rate(recipe, seen)
    if recipe.settings.training == "full":
        advised = (
            "LoRA takes about ten times the rate of full fine-tuning; Bedrock trains LoRA, so the "
            f"rate of {recipe.settings.learning_rate:g} acts more strongly here than there"
        )
        yield _point("local.training.method", "full", advised, None, BEST_PRACTICES)


def _rate(recipe: Recipe, seen: Measured | None) -> Finding:
    good = LORA_LEARNING_RATE.value
    ratio = recipe.settings.learning_rate / good
    advised = (
        f"{good:g} is a good start for the LoRA that Bedrock trains (rank 32), about ten "
        f"times the rate of full fine-tuning; this is {ratio:g} of it"
    )
    found, follows = _value(recipe, "learning_rate"), 1 / TENFOLD < ratio < TENFOLD
    return _point("learningRate", found, advised, follows, BEST_PRACTICES, _fall(seen))


def _multiplier(recipe: Recipe) -> Finding:
    name = "learning_rate_multiplier"
    multiplier = DIALECTS[recipe.dialect].hyperparameters(recipe.request).get(name, 1.0)
    advised = "1.0 to start with, less for stability; the base rate it scales is not published"
    source = f"{SAMPLES}; {BEST_PRACTICES}"
    return _point(name, f"{multiplier:g}", advised, multiplier <= 1.0, source)


def _fall(seen: Measured | None) -> str | None:
    if seen is None or len(seen.validation) < 2:  # noqa: PLR2004
        return None
    first, last = seen.validation[0][1], seen.validation[-1][1]
    words = f"{seen.source}: validation went from {first:.3f} to {last:.3f}"
    return f"{words}, which a lower rate may prevent" if last < first else words


def _early_stopping(recipe: Recipe) -> Finding:
    found = "on" if recipe.local.earlyStopping else "off"
    advised = (
        "on by default in AWS's best-practices text, though the API has no such field and AWS's "
        "own training recipes switch it off; here it is on where it is given"
    )
    source = f"{BEST_PRACTICES}; {HYPERPOD_RECIPES}"
    return _point("local.earlyStopping", found, advised, None, source)


def _samples(recipe: Recipe, seen: Measured | None) -> Finding:
    low, high = SAMPLES_TYPICAL
    group, found = recipe.settings.samples_per_prompt, _value(recipe, "samples_per_prompt")
    advised = f"{low} to {high} are typical; each prompt needs a success and a failure to teach"
    follows, mixed = low <= group <= high, _mixed(seen, group)
    return _point("trainingSamplePerPrompt", found, advised, follows, TEACHING, mixed)


def _mixed(seen: Measured | None, group: int) -> str | None:
    if seen is None or group not in seen.mixed_groups:
        return None
    share, doubled = seen.mixed_groups[group], seen.mixed_groups.get(2 * group)
    words = f"{seen.source}: {percent(share)} of groups of {group} are mixed"
    if doubled is not None and doubled >= WORTH_IT * share:
        words += f", of {2 * group} it would be {percent(doubled)}"
    return words


def _prompt_length(recipe: Recipe, data: Data) -> Finding:
    limit, tokens = recipe.settings.max_prompt_length, data.prompt_tokens
    p99, longest = percentile(tokens, 0.99), max(tokens)
    advised = (
        f"the longest prompt, here {longest}, or less to leave outliers out; the samples' notebook "
        f"asks for {PROMPT_FACTOR} x the 99th percentile, here {PROMPT_FACTOR} x {p99} = "
        f"{PROMPT_FACTOR * p99}; in tokens of local.model"
    )
    dropped = sum(each > limit for each in tokens)
    seen = f"{dropped} of {len(tokens)} prompts are longer and would be dropped"
    found, follows = _value(recipe, "max_prompt_length"), limit >= min(longest, PROMPT_FACTOR * p99)
    source = f"{BEST_PRACTICES}; {SAMPLES}"
    return _point("maxPromptLength", found, advised, follows, source, seen if dropped else None)


def _answer_length(recipe: Recipe, seen: Measured | None) -> Iterator[Finding]:
    limit, name = recipe.settings.inference_max_tokens, "inferenceMaxTokens"
    found = _value(recipe, "inference_max_tokens")
    advised = f"about {TOKENS_SIMPLE:,} for simple tasks, over {TOKENS_HARD:,} for hard reasoning"
    yield _point(name, found, advised, None, BEST_PRACTICES)
    if seen is None or seen.answer_tokens_p99 is None:
        return
    p99, cut = seen.answer_tokens_p99, seen.cut_share
    share = percent(cut) if cut else "none"
    words = f"{seen.source}: {share} of the answers were cut at {seen.limit}"
    words += ", so longer ones were not seen" if cut else ""
    advised = (
        f"{P99_FACTOR} x the 99th percentile of the answers, here {P99_FACTOR} x {p99:g} = "
        f"{P99_FACTOR * p99:g} in tokens of the model that was sampled"
    )
    yield _point(name, found, advised, limit >= P99_FACTOR * p99, SAMPLES, words)


def _eval_interval(settings: Settings, data: Data, name: str) -> Iterator[Finding]:
    kept = sum(tokens <= settings.max_prompt_length for tokens in data.prompt_tokens)
    per_epoch = kept // settings.batch_size
    if per_epoch:
        usual = max(1, min(plan.EVAL_INTERVAL_MAX_UNSET, per_epoch))
        stated = settings.eval_interval
        found = "left open" if stated is None else str(stated)
        advised = f"min(10, dataset / batch), here {usual}, is what Bedrock takes when left open"
        yield _point(name, found, advised, stated is None or stated <= usual, BEST_PRACTICES)
