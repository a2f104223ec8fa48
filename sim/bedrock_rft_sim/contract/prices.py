"""Published prices that a job's cost is worked out from, each with its date and source.

Deliberately holds no price that AWS does not publish: an RFT training hour has a usage type
(`USE1-Nova2.0Lite-RFT-Training-Hours`) and no public figure, so it is None until the user gives it.
Free tiers, discounts and taxes are left out. US dollars, US East (N. Virginia) unless named.
Sources: named beside each price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PRICE_LIST = "AWS Price List output recorded by a third party"
_LAMBDA = "AWS Lambda pricing, x86; AWS whitepaper How AWS Pricing Works, Lambda"
_LITELLM = "LiteLLM price table; a tuned open-weight model is billed at the base rate"


@dataclass(frozen=True, slots=True)
class Price:
    """One price; None where none is published."""

    name: str
    usd: float | None
    per: str
    date: str | None
    """When it was read, ISO 8601."""
    source: str


PRICES: Final = {
    price.name: price
    for price in (
        Price("rft-hour", None, "training hour", None, "AWS publishes none"),
        Price("lambda-request", 0.20 / 1e6, "invocation", "2026-11-23", _LAMBDA),
        Price("lambda-gb-second", 0.0000166667, "GB-second", "2026-11-23", _LAMBDA),
        Price("judge-call", None, "call of a judge model", None, "depends on your judge's prompt"),
        Price("model-storage", 1.95, "custom model and month", "2026-08-02", _PRICE_LIST),
        Price("nova-input-token", 0.30 / 1e6, "token, tuned Nova 2 Lite", "2026-08-02",
              _PRICE_LIST),
        Price("nova-output-token", 2.50 / 1e6, "token, tuned Nova 2 Lite", "2026-08-02",
              _PRICE_LIST),
        Price("nova-provisioned-hour", 60.50, "hour of provisioned throughput, no commitment",
              "2026-08-02", _PRICE_LIST),
        Price("gpt-oss-20b-input-token", 0.075 / 1e6, "token", "2026-11-22", _LITELLM),
        Price("gpt-oss-20b-output-token", 0.30 / 1e6, "token", "2026-11-22", _LITELLM),
        Price("gpt-oss-120b-input-token", 0.15 / 1e6, "token", "2026-11-22", _LITELLM),
        Price("gpt-oss-120b-output-token", 0.60 / 1e6, "token", "2026-11-22", _LITELLM),
    )
}  # fmt: skip
"""By name, as `--price NAME=VALUE` takes it."""

BILLED: Final = ("rft-hour", "lambda-request", "lambda-gb-second", "judge-call", "model-storage")
"""Those of a job; the others are of using its model afterwards."""
