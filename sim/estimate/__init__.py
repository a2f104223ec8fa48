"""What a job will take, before it is started: counted, measured or bounded, never guessed."""

from sim.estimate.estimate import JobEstimate, estimate
from sim.estimate.measured import Measured, read_measured
from sim.estimate.money import Bill, MoneyLine
from sim.estimate.price_list import price_list
from sim.estimate.quantity import Quantity
from sim.estimate.workload import Workload

__all__ = [
    "Bill",
    "JobEstimate",
    "Measured",
    "MoneyLine",
    "Quantity",
    "Workload",
    "estimate",
    "price_list",
    "read_measured",
]
