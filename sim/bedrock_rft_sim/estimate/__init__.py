"""What a job will take, before it is started: counted, measured or bounded, never guessed."""

from bedrock_rft_sim.estimate.estimate import JobEstimate, estimate
from bedrock_rft_sim.estimate.measured import Measured, read_measured
from bedrock_rft_sim.estimate.money import Bill, price_list
from bedrock_rft_sim.estimate.quantity import Quantity

__all__ = [
    "Bill",
    "JobEstimate",
    "Measured",
    "Quantity",
    "estimate",
    "price_list",
    "read_measured",
]
