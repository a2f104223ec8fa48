"""The dress rehearsal for Amazon Bedrock reinforcement fine-tuning.

    from bedrock_rft_sim import Run, load_recipe, rehearse

    recipe = load_recipe("quickstart", sets=["local.maxSteps=10"])
    assert check(recipe).ok
    result = rehearse(recipe)
    run = Run.open(result.folder)       # a notebook shows it as a table and curves
    print(run.lines[-1])
    print(compare_runs([run.folder.path], ["runs/other"]).words)

Importing this package imports no other; what it offers is loaded when it is first used.
Machine-learning libraries are imported inside functions of the rooms `bedrock_rft_sim.train` and
`bedrock_rft_sim.engine` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_rft_sim.cli.api import Run, compare_runs, rehearse
    from bedrock_rft_sim.diagnosis.check import check
    from bedrock_rft_sim.recipe import load_recipe

__version__ = "0.1.0"

__all__ = ["Run", "__version__", "check", "compare_runs", "load_recipe", "rehearse"]

_HOMES = {
    "Run": "cli.api",
    "check": "diagnosis.check",
    "compare_runs": "cli.api",
    "load_recipe": "recipe",
    "rehearse": "cli.api",
}


def __getattr__(name: str) -> Any:
    """Load what this package offers when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
