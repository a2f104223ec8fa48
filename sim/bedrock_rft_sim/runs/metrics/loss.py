"""The clipped policy loss and the clipped share, as verl reports them.

Not the loss that trains (TRL's is); this is the number under the name `actor_pg_loss`, without KL
or entropy terms, in plain Python so that it can be recomputed from saved values.
`_R` rollouts, `_T` response tokens.

Sources: verl, `compute_policy_loss_vanilla` (clip, dual clip c = 3, token-mean aggregation).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

CLIP_RANGE = 0.2
DUAL_CLIP = 3.0
"""Upper bound of the loss for a negative advantage, in multiples of it."""
LOG_RATIO_BOUND = 20.0
"""verl clamps the log-ratio before it takes the exponential."""


def actor_pg_loss(
    log_ratios_R_T: Sequence[Sequence[float]],
    advantages_R: Sequence[float],
    *,
    clip_range: float = CLIP_RANGE,
    dual_clip: float = DUAL_CLIP,
) -> float | None:
    """Return the mean over all response tokens of the clipped loss; None when there is no token.

    A log-ratio is the token's log-probability under the policy being updated minus that under the
    policy that sampled it; 0 everywhere in a first, on-policy update.
    """
    losses = [
        _token_loss(ratio, advantage, clip_range=clip_range, dual_clip=dual_clip)
        for ratio, advantage in _tokens(log_ratios_R_T, advantages_R)
    ]
    return math.fsum(losses) / len(losses) if losses else None


def clip_fraction(
    log_ratios_R_T: Sequence[Sequence[float]],
    advantages_R: Sequence[float],
    *,
    clip_range: float = CLIP_RANGE,
) -> float | None:
    """Return the share of response tokens whose clipped loss is the larger; None without tokens."""
    clipped = [
        -advantage * _clamp(ratio, clip_range) > -advantage * ratio
        for ratio, advantage in _tokens(log_ratios_R_T, advantages_R)
    ]
    return sum(clipped) / len(clipped) if clipped else None


def _token_loss(ratio: float, advantage: float, *, clip_range: float, dual_clip: float) -> float:
    loss = max(-advantage * ratio, -advantage * _clamp(ratio, clip_range))
    return min(loss, -advantage * dual_clip) if advantage < 0 else loss


def _clamp(ratio: float, clip_range: float) -> float:
    return min(max(ratio, 1.0 - clip_range), 1.0 + clip_range)


def _tokens(
    log_ratios_R_T: Sequence[Sequence[float]], advantages_R: Sequence[float]
) -> Iterator[tuple[float, float]]:
    for log_ratios_T, advantage in zip(log_ratios_R_T, advantages_R, strict=True):
        for log_ratio in log_ratios_T:
            bounded = min(max(log_ratio, -LOG_RATIO_BOUND), LOG_RATIO_BOUND)
            yield math.exp(bounded), advantage
