"""The processes of one run, as a launcher such as torchrun started them; the only file that knows.

A run without a launcher is a world of one process, which waits for nobody. In a larger one the main
process, rank 0, owns the run folder, the reward and all that is shown; the others train and sample
their share. What the main process decides, and an error it meets, reaches all, so that none is left
waiting. A process that is gone closes its connections, which ends the others at once.

Objects travel by `torch.distributed`, as TRL's and accelerate's own do.

Sources: torchrun's environment variables; torch, `all_gather_object`; TRL 1.16, `GRPOTrainer`.
"""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import Any, Final, TypeVar

from bedrock_rft_sim.errors import RecipeError, RehearsalError, TrainingError
from bedrock_rft_sim.recipe import Recipe

T = TypeVar("T")

WAIT: Final = datetime.timedelta(hours=6)
"""For one that lives and does not answer: the main process may have a slow reward to wait for."""
VARIABLES: Final = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Of the environment, by which the processes of a launcher find each other."""
SEQUENCE: Final = ("CP", "SP")
"""Ways to cut a sequence, as accelerate's variables name them."""
LAST_WORDS: Final = "last words"
"""Under which a process leaves the others, in the launcher's store, why it ends."""


STOPPED: Final = "it was stopped at once"
_RUNS: Final = count()
"""Of this process so far; each has keys of its own in the launcher's store."""


@dataclass(frozen=True)
class World:
    """This process among those of its run."""

    rank: int = 0
    size: int = 1
    launcher: str | None = None
    """What started the processes; None where there is one, without a launcher."""
    store: Any = None
    group: Any = None
    """Of torch.distributed, for objects; on the CPU whatever the device."""

    @property
    def is_main(self) -> bool:
        """Whether this process owns the run folder, the reward and what is shown."""
        return self.rank == 0

    def gather(self, values: Sequence[T]) -> list[T]:
        """Return the values of all processes, in the order of their ranks; all must call it."""
        if self.size == 1:
            return list(values)
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        with self.named_errors():
            dist.all_gather_object(found, list(values), group=self.group)
        return [value for each in found for value in each]

    def any(self, is_so: bool) -> bool:
        """Whether it is so in any process; all must call it."""
        return True in self.gather([is_so])

    def barrier(self) -> None:
        """Wait until every process has come here."""
        self.gather(())

    def from_main(self, work: Callable[[], T]) -> T:
        """Return what the work returns in the main process, or raise what it raises, everywhere."""
        if self.size == 1:
            return work()
        value: Any = None
        error: BaseException | None = None
        if self.is_main:
            try:
                value = work()
            except BaseException as caught:  # noqa: BLE001 - raised below, in every process
                error = caught
        told = self.gather([(value, for_others(error))] if self.is_main else [])[0]
        arrived = error or told[1]
        if arrived is not None:
            raise arrived
        return value if self.is_main else told[0]

    def on_main(self, work: Callable[[], T]) -> T | None:
        """Do the work in the main process; None elsewhere, where only its error arrives."""
        kept: list[T] = []
        self.from_main(lambda: kept.append(work()))
        return kept[0] if kept else None

    def demand_alike(self, values: Mapping[str, Any]) -> None:
        """Refuse processes that read another recipe, reward or data than the main one.

        Raises:
            TrainingError: a value differs; it is named.
        """
        everyone = self.gather([(socket.gethostname(), dict(values))])
        _, main = everyone[0]
        for rank, (host, theirs) in enumerate(everyone):
            for name in (each for each in main if theirs[each] != main[each]):
                raise TrainingError(
                    f"the processes of the run do not read the same {name}",
                    where=f"process {rank}, on {host}",
                    expected=f"{main[name]}, as process 0 on {everyone[0][0]} has it",
                    found=str(theirs[name]),
                    hint="give every machine the same files",
                )

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn a collective that fails, since another process is gone, into one message.

        Where the user has stopped that one at once, all are; a signal may not arrive everywhere, as
        Python takes two that come during one collective for one.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or isinstance(error, RehearsalError) or not _is_of_network(error):
                raise
            words = self._last_words()
            if words == STOPPED:
                raise KeyboardInterrupt from error
            raise TrainingError(
                "another process of the run has ended",
                where=f"process {self.rank} of {self.size}",
                found=words or f"it left no word, so it was killed ({_first(error)})",
                hint="see what it printed; --resume goes on from the last checkpoint",
            ) from error

    def _last_words(self) -> str | None:
        with suppress(RuntimeError):  # the store may be gone with its process
            if self.store.check([LAST_WORDS]):
                return str(self.store.get(LAST_WORDS).decode())
        return None

    @contextmanager
    def _farewell(self) -> Iterator[None]:
        """Leave the others word of what ends this process."""
        try:
            yield
        except BaseException as error:
            with suppress(RuntimeError):
                if self._last_words() is None:
                    self.store.set(LAST_WORDS, _words(error))
            raise


ALONE: Final = World()


def is_main() -> bool:
    """Whether this process is the one of its run that speaks, before or after the run."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that the launcher started; without one there is nobody to join.

    `device` is that of the recipe.

    Raises:
        RecipeError: there are fewer GPUs than processes.
        TrainingError: no launcher started this process.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    _demand_variables()
    import torch
    import torch.distributed as dist

    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if not on_cpu:
        _take_gpu(torch.cuda)
    store, rank, size = next(dist.rendezvous("env://"))
    store = dist.PrefixStore(f"run {next(_RUNS)}", store)
    backend = "gloo" if on_cpu else "cuda:nccl,cpu:gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        group = dist.new_group(backend="gloo", timeout=WAIT)
        world = World(rank, size, _launcher(), store, group)
        with world._farewell():
            yield world
    finally:
        dist.destroy_process_group()


def demand_launcher() -> None:
    """Refuse what an accelerate config asks for and a run can't do, before anything is loaded.

    Raises:
        TrainingError: one of these.
    """
    environment = os.environ
    uses = {name for name in ("FSDP", "DEEPSPEED", "PARALLELISM_CONFIG") if _is_set(f"USE_{name}")}
    sizes = {kind: environment.get(f"PARALLELISM_CONFIG_{kind}_SIZE", "1") for kind in SEQUENCE}
    cut = {kind: size for kind, size in sizes.items() if size != "1"}
    faults = {
        "no sequence is cut among processes (TRL's GRPO takes neither cp nor sp)": (
            "PARALLELISM_CONFIG" in uses and cut,
            "parallelism_config_cp_size and parallelism_config_sp_size of 1",
        ),
        "FSDP is version 2": (
            "FSDP" in uses and environment.get("FSDP_VERSION", "1") != "2",
            "fsdp_version: 2",
        ),
        "the trained model is written whole": (
            "FSDP" in uses and environment.get("FSDP_STATE_DICT_TYPE") != "FULL_STATE_DICT",
            "fsdp_state_dict_type: FULL_STATE_DICT",
        ),
        "DeepSpeed is installed": (
            "DEEPSPEED" in uses and find_spec("deepspeed") is None,
            "pip install deepspeed",
        ),
    }
    for expected, (is_at_fault, remedy) in faults.items():
        if is_at_fault:
            raise TrainingError(
                "the launcher asks for what a run can't do",
                where="the config of accelerate launch",
                expected=expected,
                hint=remedy,
            )


def _is_set(name: str) -> bool:
    return os.environ.get(f"ACCELERATE_{name}", "false").lower() == "true"


def demand_served(recipe: Recipe, world: World) -> None:
    """Refuse a batch that can't be shared, and one GPU named for all processes of a launcher.

    Raises:
        RecipeError: one of these.
    """
    settings, local = recipe.settings, recipe.local
    if settings.rollouts_per_update % world.size:
        raise RecipeError(
            "an update's rollouts can't be shared equally among the processes",
            where=recipe.where("batchSize"),
            expected="batchSize x trainingSamplePerPrompt, or one update's part of it, to be a "
            f"multiple of {world.size} processes",
            found=str(settings.rollouts_per_update),
            hint="start another number of processes, or change batchSize under local.overrides",
        )
    if settings.quantization is not None and _is_set("USE_FSDP"):
        raise RecipeError(
            "quantized weights can't be shared out",
            where=recipe.where("local.training.quantization"),
            expected="no FSDP, under which each process holds a part of every weight",
            found="an accelerate config with FSDP",
            hint="start it by torchrun, so that each process has a copy, or leave nf4 out",
        )
    if world.size > 1 and ":" in local.device:
        raise RecipeError(
            "one GPU is named for all processes of a launcher",
            where=recipe.where("local.device"),
            expected="auto or cuda: each process takes the GPU of its number",
            found=local.device,
        )


def _demand_variables() -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise TrainingError(
            "WORLD_SIZE speaks of several processes, and no launcher started this one",
            where="the environment",
            expected=", ".join(VARIABLES),
            found=f"no {', '.join(missing)}",
            hint="start the run by torchrun, or by itself without WORLD_SIZE",
        )


def _take_gpu(cuda: Any) -> None:
    number, gpus = int(os.environ["LOCAL_RANK"]), cuda.device_count()
    if number >= gpus:
        raise RecipeError(
            "there are fewer GPUs than processes",
            where="the launcher's --nproc_per_node or num_processes",
            expected=f"at most {gpus} on this machine",
            found=f"process {number}, counted from 0",
            hint="start one process per GPU, or set local.device to cpu",
        )
    cuda.set_device(number)


def _launcher() -> str:
    if "ACCELERATE_DYNAMO_BACKEND" in os.environ:
        return "accelerate launch"
    return "torchrun" if "TORCHELASTIC_RUN_ID" in os.environ else "environment variables"


def for_others(error: BaseException | None) -> BaseException | None:
    """Return an error in a form that travels: a kind of ours, made from words alone."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error
    if not isinstance(error, RehearsalError):
        return TrainingError("the main process can't go on", found=_words(error))
    ours = [kind for kind in type(error).__mro__ if issubclass(kind, RehearsalError)]
    made_of_words = (kind for kind in ours if "__init__" not in vars(kind))
    return error.restated(next(made_of_words, RehearsalError))


def _words(error: BaseException) -> str:
    if isinstance(error, RehearsalError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    return f"{type(error).__name__}: {_first(error)}"


def _first(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")


def _is_of_network(error: RuntimeError) -> bool:
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error)
