"""The model process: load models as requests name them, answer one request after the other.

It ends with its standard input, thus with the server however that ends. What libraries print goes
to standard error; standard output carries the lines that `bedrock_rft_sim.server.inference.models`
describes, and nothing else.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections import OrderedDict
from dataclasses import asdict
from typing import Any, BinaryIO

from bedrock_rft_sim.engine.chat import ChatModel, ModelRequest
from bedrock_rft_sim.engine.device import Device, choose_device
from bedrock_rft_sim.engine.quiet import silence_libraries
from bedrock_rft_sim.engine.sampler import Engine
from bedrock_rft_sim.errors import DataError, RehearsalError
from bedrock_rft_sim.server.inference.models import decode, encode

MODELS_KEPT = 2
"""So many stay loaded: a base and a tuned model side by side."""


def main() -> None:
    """Answer until standard input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    requests = _Requests(sys.stdin.buffer)
    models = _LoadedModels(out, requests)
    while True:
        models.answer(requests.next())


class _Requests:
    """The requests, and which are no longer wanted, read by a thread of its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any]:
        """Wait for a request."""
        return self._queue.get()

    def is_unwanted(self, number: int) -> bool:
        """Whether nobody waits for this answer any more."""
        return number in self._unwanted

    def forget(self, number: int) -> None:
        """Forget a request that is done with."""
        self._unwanted.discard(number)

    def _read(self) -> None:
        for line in self._source:
            message = decode(line)
            if "unwanted" in message:
                self._unwanted.add(message["unwanted"])
            else:
                self._queue.put(message)
        os._exit(0)  # the server is gone; nobody reads an answer in progress


class _LoadedModels:
    """The models at hand, the one used last kept longest."""

    def __init__(self, out: BinaryIO, requests: _Requests) -> None:
        self._out = out
        self._requests = requests
        self._models: OrderedDict[str, ChatModel] = OrderedDict()
        self._engines: dict[str, Engine] = {}  # as the log has them
        self._device: Device | None = None

    def answer(self, request: dict[str, Any]) -> None:
        """Answer one request, or say why not."""
        number: int = request.pop("ask")
        try:
            if not self._requests.is_unwanted(number):
                self._say(ask=number, answered=self._answered(number, request))
        except DataError as error:
            self._say(ask=number, refused=str(error))
        except RehearsalError as error:
            self._say(ask=number, failed=str(error))
        # A border like the grader's: what foreign libraries make of one client's words, or of the
        # memory at hand, may cost that client its answer, and never the others theirs.
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            self._say(ask=number, failed=f"{type(error).__name__}: {error}")
        self._requests.forget(number)

    def _answered(self, number: int, request: dict[str, Any]) -> dict[str, Any]:
        wanted = ModelRequest(**{**request, "stop": tuple(request["stop"])})
        model = self._model(wanted.model)
        answer = model.answer(
            wanted,
            on_piece=lambda text: self._say(ask=number, piece=text),
            is_unwanted=lambda: self._requests.is_unwanted(number),
        )
        self._log(wanted.model, model.engine)
        return asdict(answer)

    def _log(self, model: str, engine: Engine) -> None:
        if self._engines.get(model) != engine:
            self._engines[model] = engine
            sys.stderr.write(f"{model}: answers come from the engine {engine.name}: {engine.why}\n")

    def _model(self, name: str) -> ChatModel:
        silence_libraries(offline=False)
        if self._device is None:
            self._device = choose_device("auto", "auto")
        if name not in self._models:
            while len(self._models) >= MODELS_KEPT:
                self._models.popitem(last=False)
            self._say(loading=True)
            self._models[name] = ChatModel(name, self._device)
            self._say(loading=False)
        self._models.move_to_end(name)
        return self._models[name]

    def _say(self, **message: Any) -> None:
        self._out.write(encode(message))


if __name__ == "__main__":
    main()
