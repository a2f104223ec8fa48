"""The metric table: one inner name per metric and what every other surface calls it.

Deliberately computes nothing: `bedrock_rft_sim.runs.metrics` does, and follows these definitions.
Sources: volcengine/verl metric_utils (definitions); aws-samples/amazon-bedrock-samples (event
keys); AWS Bedrock user guide rft-submit-job (slash names); aws-samples/amazon-nova-samples (CSV
columns); AWS Machine Learning Blog on best practices (console titles).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Comparable = Literal["yes", "shape", "no"]

MANTLE_EVENT_KEYS: Final = (
    "step", "total_steps", "critic_rewards_mean", "actor_pg_loss", "actor_entropy",
    "actor_grad_norm", "critic_advantages_mean", "response_length_mean",
)  # fmt: skip
"""Inner names of the metrics in a bedrock-mantle event, in its order."""
NOVA_CSV_COLUMNS: Final = (
    "step_number", "epoch_number", "train_reward_mean", "train_episode_length_mean",
    "policy_entropy", "gradient_norm", "mean_advantage", "min_advantage", "max_advantage",
)  # fmt: skip

HEALTHY_BANDS: Final = {
    "critic_rewards_mean": (0.5, 0.9),
    "validation_rewards_mean": (0.5, 0.88),
    "response_length_mean": (400.0, 625.0),
    "actor_entropy": (0.8, 1.1),
}
"""Between which values AWS's own experiments moved, by its best-practices text: rewards from 0.5 to
0.8 or 0.9 (validation to about 0.88 within some 40 steps), answers from 625 to 400 tokens. They are
of other models and other data, so no check uses them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it means, how it is estimated, and its name on every surface."""

    inner: str
    """The name inside this project and in metrics.jsonl."""
    definition: str
    unit: str
    estimator: str
    """Over what the value is averaged or taken."""
    verl_name: str | None = None
    """Its slash name in verl and in the Bedrock user guide."""
    nova_csv_column: str | None = None
    """Its column in step_wise_training_metrics.csv."""
    console_title: str | None = None
    """The title of its graph in the Bedrock console."""
    comparable: Comparable = "no"
    """Whether a local value may be compared with a cloud value: yes, its shape only, or no."""

    @property
    def mantle_key(self) -> str | None:
        """Its key in the `data` of a bedrock-mantle event."""
        return self.inner if self.inner in MANTLE_EVENT_KEYS else None


_TOKENS: Final = "mean over all response tokens of the step"
_OWN_UPDATE: Final = f"{_TOKENS}, each at its own update"
_ROLLOUTS: Final = "mean over all rollouts of the step"
_CLOUD: Final = (
    Metric("step", "number of the training step, from 1",
           "steps", "counter", verl_name="training/global_step", nova_csv_column="step_number",
           comparable="yes"),
    Metric("total_steps", "steps planned for the whole run",
           "steps", "floor(prompts / batch) per epoch, times epochs", comparable="yes"),
    Metric("critic_rewards_mean",
           "mean grade of the step's rollouts (minus KL only if KL is part of the reward)",
           "reward", _ROLLOUTS, verl_name="critic/rewards/mean",
           nova_csv_column="train_reward_mean", console_title="Training rewards",
           comparable="shape"),
    Metric("response_length_mean", "mean length of the sampled answers, end token included",
           "tokens", _ROLLOUTS, verl_name="response_length/mean",
           nova_csv_column="train_episode_length_mean", console_title="Training episode lengths",
           comparable="shape"),
    Metric("actor_entropy",
           "entropy of the sampling policy before any update, logits divided by the temperature",
           "nats", _TOKENS, verl_name="actor/entropy", nova_csv_column="policy_entropy",
           console_title="Policy entropy", comparable="shape"),
    Metric("actor_grad_norm", "global gradient norm before clipping",
           "1", "mean over the updates of the step", verl_name="actor/grad_norm",
           nova_csv_column="gradient_norm", console_title="Gradient norm"),
    Metric("actor_pg_loss", "clipped policy loss, without KL or entropy terms",
           "1", _OWN_UPDATE, verl_name="actor/pg_loss"),
    Metric("critic_advantages_mean",
           "mean advantage, weighted by length and so not zero by construction",
           "1", _TOKENS, verl_name="critic/advantages/mean", nova_csv_column="mean_advantage"),
    Metric("critic_advantages_min", "smallest advantage",
           "1", "minimum over all response tokens of the step", verl_name="critic/advantages/min",
           nova_csv_column="min_advantage"),
    Metric("critic_advantages_max", "largest advantage",
           "1", "maximum over all response tokens of the step", verl_name="critic/advantages/max",
           nova_csv_column="max_advantage"),
    Metric("critic_rewards_min", "lowest grade",
           "reward", "minimum over all rollouts of the step", verl_name="critic/rewards/min",
           comparable="shape"),
    Metric("critic_rewards_max", "highest grade",
           "reward", "maximum over all rollouts of the step", verl_name="critic/rewards/max",
           comparable="shape"),
    Metric("epoch", "pass over the training data, from 0",
           "epochs", "counter", verl_name="training/epoch", nova_csv_column="epoch_number",
           comparable="yes"),
    Metric("validation_rewards_mean",
           "mean grade of the validation set, greedy, one answer per prompt",
           "reward", "mean over all validation prompts", verl_name="val-score/rewards/mean@1",
           console_title="Validation rewards", comparable="shape"),
    Metric("validation_response_length_mean",
           "mean length of the greedy answers to the validation set, end token included",
           "tokens", "mean over all validation prompts", console_title="Validation episode lengths",
           comparable="shape"),
)  # fmt: skip


def _local(name: str, definition: str, *, unit: str, estimator: str) -> Metric:
    return Metric(f"local_{name}", definition, unit, estimator)


_STEP: Final = "over the step"
_LOCAL: Final = (
    _local("groups_all_right", "groups whose grades are equal and above 0, of all groups",
           unit="share", estimator=_STEP),
    _local("groups_all_wrong", "groups whose grades are equal and not above 0, of all groups",
           unit="share", estimator=_STEP),
    _local("groups_mixed", "groups with more than one grade, the only ones that teach, of all",
           unit="share", estimator=_STEP),
    _local("positive_share", "rollouts graded above 0, of all rollouts",
           unit="share", estimator=_STEP),
    _local("truncated_share", "answers cut at inferenceMaxTokens, of all rollouts",
           unit="share", estimator=_STEP),
    _local("parse_failures", "rollouts whose Metric answer_found is 0: nothing to grade",
           unit="share", estimator="over the rollouts that report it"),
    _local("grader_latency_p50_s", "duration of an event in the handler, median",
           unit="seconds", estimator="over the step's invocations"),
    _local("grader_latency_p95_s", "duration of an event in the handler, 95th percentile",
           unit="seconds", estimator="over the step's invocations"),
    _local("grader_latency_max_s", "duration of an event in the handler, longest",
           unit="seconds", estimator="over the step's invocations"),
    _local("grader_errors", "failed attempts by error class",
           unit="attempts", estimator="over the step's invocations"),
    _local("grader_failed_samples", "samples of the events that failed at least once",
           unit="samples", estimator="sum over the step's invocations"),
    _local("reward_components", "mean of each entry of metrics_list by its name",
           unit="reward", estimator="mean over the rollouts that report it"),
    _local("also_graded", "mean grade of each reward of local.alsoGrade, which is not trained on",
           unit="reward", estimator=_ROLLOUTS),
    _local("validation_also_graded", "the same over the validation set",
           unit="reward", estimator="mean over all validation prompts"),
    _local("grader_cold_starts", "events that found no warm container",
           unit="events", estimator="over the step's invocations"),
    _local("non_finite", "names of the values left out because they were not finite",
           unit="names", estimator="list"),
    _local("rollouts", "answers sampled", unit="answers", estimator="sum over the step"),
    _local("tokens_per_second", "response tokens over the step's time without validation",
           unit="tokens per second", estimator="one value per step"),
    _local("kl", "divergence from the reference model, k3 estimator",
           unit="nats", estimator=_OWN_UPDATE),
    _local("clip_fraction", "response tokens whose ratio was clipped, of all",
           unit="share", estimator=_OWN_UPDATE),
    _local("tokens", "response tokens sampled", unit="tokens", estimator="sum over the step"),
    _local("seconds", "wall time by phase", unit="seconds", estimator="one value per phase"),
    _local("peak_memory_mb", "most memory in use so far, of the device or of the process",
           unit="MB", estimator="maximum"),
)  # fmt: skip

METRICS: Final[tuple[Metric, ...]] = (*_CLOUD, *_LOCAL)


def metric(inner: str) -> Metric:
    """Look a metric up by its inner name, or that of one entry of a table, as `name/entry`."""
    return _BY_INNER[inner.partition("/")[0]]


_BY_INNER: Final = {entry.inner: entry for entry in METRICS}
