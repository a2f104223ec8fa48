"""`rft chat`: the base model and the tuned one, side by side on the terminal."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_number, add_run, print_result
from bedrock_rft_sim.cli.terminal import columns, print_lines, say

if TYPE_CHECKING:
    from bedrock_rft_sim.engine.chat import ChatModel
    from bedrock_rft_sim.runs import Run

SIDES = ("base", "tuned")
LEAST_COLUMNS = 60
"""A narrower terminal shows one answer below the other."""
GAP = " | "
Messages = Sequence[Mapping[str, Any]]
HELP = "ask the base model and the tuned one the same question"
DESCRIPTION = """Put each question to the model before and after the run. Each stands alone: nothing
said before is sent along. An empty line asks the run's next validation prompt; Ctrl-D ends."""
RESULT = "the answers to --prompt"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_run(verb)
    verb.add_argument("--prompt", metavar="TEXT", help="ask this and end")
    temperature = "sample at this temperature (default 0, greedy, as validation does)"
    verb.add_argument(
        "--temperature", type=_temperature, default=0.0, metavar="T", help=temperature
    )
    add_number(verb, "--max-tokens", "of an answer (default the run's inferenceMaxTokens)")


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 2:  # noqa: PLR2004 - the highest that AWS's recipes allow
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 2, found {text}")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Answer --prompt, or what is typed until the end."""
    from bedrock_rft_sim.engine.chat import ChatModel
    from bedrock_rft_sim.engine.device import choose_device
    from bedrock_rft_sim.engine.load import models_of_run
    from bedrock_rft_sim.engine.quiet import silence_for_models
    from bedrock_rft_sim.runs import Run, find_run

    if arguments.json and arguments.prompt is None:
        arguments.parser.error("--json needs --prompt")
    found = Run.read(find_run(arguments.run))
    names = models_of_run(found)
    silence_for_models(*names, device=found.local("device") or "auto")
    device = choose_device(found.local("device") or "auto", found.local("dtype") or "auto")
    say(f"loading {names[0]} and {names[1]}")
    models = [ChatModel(name, device) for name in names]
    if arguments.prompt is not None:
        texts = _ask(models, _messages(found, arguments.prompt), found, arguments)
        lines = _side_by_side(texts, columns(sys.stdout))
        print_result(arguments, dict(zip(SIDES, texts, strict=True)), lines)
        return 0
    for messages in _typed(found):
        texts = _ask(models, messages, found, arguments)
        print_lines(_side_by_side(texts, columns(sys.stdout)))
    return 0


def _typed(run: Run) -> Iterator[Messages]:
    prompts = [row.messages for (kind, _), row in run.prompts().items() if kind == "validation"]
    waiting = iter(prompts)
    while True:
        if sys.stdin.isatty():
            print("\nyou> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield _messages(run, line.strip())
        elif (messages := next(waiting, None)) is not None:
            say(str(messages[-1].get("content")))
            yield messages
        else:
            say("the run has no further validation prompt")


def _messages(run: Run, text: str) -> Messages:
    """Return the conversation, with the system message of the run's prompts."""
    first = next(iter(run.prompts().values()), None)
    system = [each for each in (first.messages if first else ()) if each.get("role") == "system"]
    return [*system[:1], {"role": "user", "content": text}]


def _ask(
    models: Sequence[ChatModel], messages: Messages, run: Run, arguments: argparse.Namespace
) -> list[str]:
    from bedrock_rft_sim.engine.chat import ModelRequest

    request = ModelRequest(
        model="",
        messages=messages,
        max_tokens=arguments.max_tokens or run.setting("inference_max_tokens"),
        temperature=arguments.temperature,
        seed=0,
        template=run.local("chatTemplateKwargs") or {},
    )
    return [model.answer(request).text for model in models]


def _side_by_side(texts: Sequence[str], width: int) -> list[str]:
    if width < LEAST_COLUMNS:
        return [
            part for side, text in zip(SIDES, texts, strict=True) for part in (f"{side}:", text)
        ]
    half = (width - len(GAP)) // 2
    left, right = (_wrapped(text, half) for text in texts)
    head = [GAP.join(side.ljust(half) for side in SIDES).rstrip()]
    return head + [
        f"{one:{half}}{GAP}{other}".rstrip()
        for one, other in zip_longest(left, right, fillvalue="")
    ]


def _wrapped(text: str, width: int) -> list[str]:
    lines = (textwrap.wrap(line, width) or [""] for line in text.splitlines())
    return [part for line in lines for part in line]
