"""What each surface calls a metric of ours.

The metric table holds Bedrock's, verl's and Nova's names; the ones only a trainer or a tracker
uses stand here. A name that is defined otherwise than ours is left unknown rather than mapped.
Sources: TRL GRPO trainer documentation (logged metrics); transformers' TensorBoard and W&B
callbacks (`train/`, `eval/`); aws/nova-forge-sdk log monitor (HyperPod keys); verl, ray_trainer.py
and core_algos.py of 2024 and 2025 (validation, older names).
"""

from __future__ import annotations

import re
from typing import Final

from bedrock_rft_sim.contract.metrics import METRICS

INNER: Final = {metric.inner: metric.inner for metric in METRICS}
MANTLE: Final = {metric.mantle_key: metric.inner for metric in METRICS if metric.mantle_key}
VERL: Final = {
    **{metric.verl_name: metric.inner for metric in METRICS if metric.verl_name},
    "actor/entropy_loss": "actor_entropy",
}
"""The last is verl's name of 2024 for the entropy it subtracts."""
_VERL_VALIDATION: Final = re.compile(
    r"val-core[/_].+[/_](?:acc|reward)[/_]mean@1|val[/_]test_score[/_].+"
)
"""One per data source; `mean@8` and `best@8` need more than one answer a prompt."""
NOVA: Final = {metric.nova_csv_column: metric.inner for metric in METRICS if metric.nova_csv_column}

TRL: Final = {
    "reward": "critic_rewards_mean",
    "completions/mean_length": "response_length_mean",
    "completion_length": "response_length_mean",
    "entropy": "actor_entropy",
    "grad_norm": "actor_grad_norm",
    "eval_reward": "validation_rewards_mean",
    "eval_completions/mean_length": "validation_response_length_mean",
    "eval_completion_length": "validation_response_length_mean",
}
"""TRL's `epoch` is a fraction from 0 and its `loss` holds the KL term: both stay unknown.
`completion_length` is what TRL before 0.16 wrote."""

HYPERPOD: Final = {
    "train_rm_score": "critic_rewards_mean",
    "completion_length": "response_length_mean",
    "ent": "actor_entropy",
    "adv": "critic_advantages_mean",
    "grad_norm": "actor_grad_norm",
}
"""`reduced_train_loss`, `kl` and `clipfrac` have no published definition: they stay unknown."""


def of_tracker(name: str) -> str | None:
    """Return our name for a tag or column of TensorBoard or W&B, whoever logged it."""
    bare = name.removeprefix("train/")
    if name.startswith("eval/"):
        bare = "eval_" + name.removeprefix("eval/")
    return TRL.get(bare) or of_verl(name) or MANTLE.get(name) or NOVA.get(name) or INNER.get(name)


def of_verl(name: str) -> str | None:
    """Return our name for a metric of verl's."""
    is_validation = _VERL_VALIDATION.fullmatch(name) is not None
    return "validation_rewards_mean" if is_validation else VERL.get(name)


def of_file_name(stem: str) -> str | None:
    """Return our name for a tag spelt in a file's name, where TensorBoard writes _ for /."""
    return _BY_FLAT_NAME.get(stem.replace("/", "_")) or of_verl(stem)


_TAGS: Final = (
    *((name, inner) for table in (VERL, NOVA, MANTLE, INNER) for name, inner in table.items()),
    *((f"train/{name}", inner) for name, inner in TRL.items() if not name.startswith("eval_")),
    *((name.replace("eval_", "eval/"), inner) for name, inner in TRL.items() if "eval_" in name),
    *TRL.items(),
)
_BY_FLAT_NAME: Final = {tag.replace("/", "_"): inner for tag, inner in _TAGS}
