"""Inside the model process: load models as they are asked for, answer one ask after the other.

It ends with its standard input, thus with the server however that ends.
What libraries print goes to standard error; standard output carries the protocol alone.
Sources: `bedrock_rft_sim.server.inference.protocol`.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections import OrderedDict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

from bedrock_rft_sim.errors import DataError, RehearsalError
from bedrock_rft_sim.server.inference import protocol

if TYPE_CHECKING:
    from bedrock_rft_sim.engine.answer import AnsweringModel
    from bedrock_rft_sim.engine.device import Device

MODELS_KEPT = 2
"""So many stay loaded: a base and a tuned model side by side."""


def main() -> None:
    """Answer until standard input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    asks = _Asks(sys.stdin.buffer)
    worker = _Worker(out, asks)
    while True:
        worker.answer(asks.next())


class _Asks:
    """What was asked and what is no longer wanted, read by a thread of its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any]:
        """Wait for an ask."""
        return self._queue.get()

    def is_unwanted(self, number: int) -> bool:
        """Whether nobody waits for this answer any more."""
        return number in self._unwanted

    def forget(self, number: int) -> None:
        """Forget an ask that is done with."""
        self._unwanted.discard(number)

    def _read(self) -> None:
        for line in self._source:
            message = protocol.decode(line)
            if "unwanted" in message:
                self._unwanted.add(message["unwanted"])
            else:
                self._queue.put(message)
        os._exit(0)  # the server is gone; nobody reads an answer in progress


class _Worker:
    """The models at hand."""

    def __init__(self, out: BinaryIO, asks: _Asks) -> None:
        self._out = out
        self._asks = asks
        self._models: OrderedDict[str, AnsweringModel] = OrderedDict()
        self._device: Device | None = None

    def answer(self, ask: dict[str, Any]) -> None:
        """Answer one ask, or say why not."""
        number: int = ask["ask"]
        try:
            if not self._asks.is_unwanted(number):
                self._say(ask=number, answered=self._answered(number, ask))
        except DataError as error:
            self._say(ask=number, refused=str(error))
        except RehearsalError as error:
            self._say(ask=number, failed=str(error))
        # A border like the grader's: what foreign libraries make of one client's words, or of the
        # memory at hand, may cost that client its answer, and never the others theirs.
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            self._say(ask=number, failed=f"{type(error).__name__}: {error}")
        self._asks.forget(number)

    def _answered(self, number: int, ask: dict[str, Any]) -> dict[str, Any]:
        from bedrock_rft_sim.engine.answer import Sampling

        sampling = dict(ask["sampling"])
        answered = self._model(ask["model"]).answer(
            ask["messages"],
            Sampling(**{**sampling, "stop": tuple(sampling.get("stop", ()))}),
            on_piece=lambda text: self._say(ask=number, piece=text),
            is_unwanted=lambda: self._asks.is_unwanted(number),
            template_options=ask.get("template"),
        )
        return asdict(answered)

    def _model(self, name: str) -> AnsweringModel:
        from bedrock_rft_sim.engine.quiet import silence_libraries

        silence_libraries(offline=False)
        from bedrock_rft_sim.engine.answer import AnsweringModel
        from bedrock_rft_sim.engine.device import choose_device

        if self._device is None:
            self._device = choose_device("auto", "auto")
        if name not in self._models:
            while len(self._models) >= MODELS_KEPT:
                self._models.popitem(last=False)
            self._models[name] = AnsweringModel(name, self._device)
        self._models.move_to_end(name)
        return self._models[name]

    def _say(self, **message: Any) -> None:
        self._out.write(protocol.encode(message))
