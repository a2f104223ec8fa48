"""Send experiment trackers the run's own metrics, under the names that metrics.jsonl gives them.

transformers' integrations begin and end a tracker, as for any trainer; what they would send is
TRL's log, so a step's line is sent in its place. Only those of `OWN_NAMES` are served here, the
others get from TRL what they would get of any of its trainers. A tracker that fails during the run
gets no more, and the run goes on.

Sources: transformers 5.23 (`INTEGRATION_TO_CALLBACK`); MLflow 3.17 (`log_metrics`), trackio 0.43
(`log`), wandb 0.31 (`log`, `finish`), torch (`SummaryWriter.add_scalar`).
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.errors import TrainingError
from bedrock_rft_sim.recipe.trackers import OWN_NAMES, Tracker
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.train.record import Rehearsal

if TYPE_CHECKING:
    from bedrock_rft_sim.train.trainer import RehearsalTrainer

PROJECT: Final = "bedrock-rft-sim"
NOT_IN_MLFLOW: Final = re.compile(r"[^0-9A-Za-z_\-. :/]")
"""What a metric's name may not hold there."""
Values = Mapping[str, float]


def _tensorboard(integration: Any, values: Values, step: int) -> None:
    for name, value in values.items():
        integration.tb_writer.add_scalar(name, value, step)
    integration.tb_writer.flush()


def _wandb(_integration: Any, values: Values, step: int) -> None:
    import wandb

    wandb.log({**values, "train/global_step": step})  # which the integration made the x-axis


def _trackio(_integration: Any, values: Values, step: int) -> None:
    import trackio

    trackio.log(dict(values), step=step)


def _mlflow(_integration: Any, values: Values, step: int) -> None:
    import mlflow

    named = {NOT_IN_MLFLOW.sub("_", name): value for name, value in values.items()}
    mlflow.log_metrics(named, step=step)


SEND: Final[Mapping[Tracker, Callable[[Any, Values, int], None]]] = {
    "tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio, "mlflow": _mlflow,
}  # fmt: skip


@dataclass
class Trackers:
    """A `RunObserver` that passes each step's metrics on."""

    _rehearsal: Rehearsal
    _trainer: RehearsalTrainer
    _integrations: dict[Tracker, Any]

    def step(self, line: Mapping[str, Any]) -> None:
        """Send the metrics of a step."""
        values = scalars(line)
        for words in self._each(lambda name, each: SEND[name](each, values, line["step"])):
            self._rehearsal.folder.append_event(message_event(words, level="warn"))

    def ended(self, _record: Mapping[str, Any]) -> None:
        """Let every tracker finish."""
        self._each(self._end)

    def _end(self, name: Tracker, integration: Any) -> None:
        trainer = self._trainer
        integration.on_train_end(
            trainer.args, trainer.state, trainer.control,
            model=trainer.model, processing_class=trainer.processing_class,
        )  # fmt: skip
        if name == "wandb":  # whose integration leaves the run open until the program ends
            import wandb

            wandb.finish()

    def _each(self, act: Callable[[Tracker, Any], None]) -> list[str]:
        """Do it with each tracker, leave out those that fail, and return what was said of them."""
        failed = []
        for name, integration in list(self._integrations.items()):
            try:
                act(name, integration)
            except Exception as error:  # noqa: BLE001 - a border: the run outlives its trackers
                del self._integrations[name]
                failed.append(f"The tracker {name} failed and gets no more: {_first_line(error)}")
                self._rehearsal.say(f"warning: {failed[-1]}")
        return failed


def start_trackers(rehearsal: Rehearsal, trainer: RehearsalTrainer) -> Trackers:
    """Start the trackers of `local.reportTo` that get our own metrics.

    Raises:
        TrainingError: one can't be started; none of the run's steps is made yet.
    """
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    os.environ.setdefault("WANDB_PROJECT", PROJECT)
    args = copy.copy(trainer.args)
    args.run_name, args.project = rehearsal.folder.name, PROJECT
    started: dict[Tracker, Any] = {}
    for name in (each for each in rehearsal.recipe.local.reportTo if each in OWN_NAMES):
        try:
            started[name] = integration = INTEGRATION_TO_CALLBACK[name]()
            if name == "tensorboard" and integration.logging_dir is None:
                integration.logging_dir = str(rehearsal.folder.tensorboard)
            integration.on_train_begin(args, trainer.state, trainer.control, model=trainer.model)
        except Exception as error:  # a border: a tracker is foreign code
            raise TrainingError(
                f"the tracker {name} can't be started",
                where=rehearsal.recipe.where("local.reportTo"),
                found=_first_line(error),
                hint=f"see to its login and its address, or leave {name} out",
            ) from error
    return Trackers(rehearsal, trainer, started)


def scalars(line: Mapping[str, Any]) -> dict[str, float]:
    """Return a metric line's numbers by name; those of a table as `name/entry`, the step not."""
    flat: dict[str, Any] = {}
    for name, value in line.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{entry}": each for entry, each in value.items()}
        elif name != "step":
            flat[name] = value
    return {name: value for name, value in flat.items() if is_number(value)}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
