"""`rft completion`: what a shell needs to complete verbs, options, recipes and runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from bedrock_rft_sim.cli.arguments import print_result

HELP = "a script for bash or zsh that completes verbs, options, recipes and runs"
RESULT = "the script"
DESCRIPTION = """Print the script. For one shell: eval "$(rft completion bash)"; for every shell put
that line into ~/.bashrc, or with zsh into ~/.zshrc."""
ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
RUNS = "$(command ls runs 2>/dev/null)"
SCRIPT = """_rft() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" options="" words=""
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="{verbs}"; options="--version --help"; fi
  case "$word" in -*) words="$options" ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _rft rft
"""
"""Files are completed where nothing else fits (`-o default`)."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("shell", choices=("bash", "zsh"), help="the shell that is to read it")


def run(arguments: argparse.Namespace) -> int:
    """Print the script for the shell."""
    from bedrock_rft_sim.cli import parser

    verbs = _below(parser())
    cases = "\n".join(
        f'    {name}) options="{" ".join(_options(verb))}"; words="{_words(verb)}" ;;'
        for name, verb in verbs.items()
    )
    script = SCRIPT.format(cases=cases, verbs=" ".join(verbs))
    script = ZSH + script if arguments.shell == "zsh" else script
    print_result(arguments, {"script": script}, script.splitlines())
    return 0


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    subs = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {name: verb for each in subs for name, verb in each.choices.items()}


def _options(verb: argparse.ArgumentParser) -> list[str]:
    own = {option for action in verb._actions for option in action.option_strings}
    return sorted(own.union(*map(_options, _below(verb).values())))


def _words(verb: argparse.ArgumentParser) -> str:
    """Return what may stand where no option does: verbs below it, recipes, runs, choices."""
    from bedrock_rft_sim.recipe.shipped import shipped_recipes, shipped_rewards, shipped_sweeps

    known: dict[str, Callable[[], Iterable[str]]] = {
        "RECIPE": shipped_recipes,
        "SWEEP": shipped_sweeps,
        "REWARD": shipped_rewards,
        "RUN": lambda: (RUNS,),
    }
    found = [*_below(verb)]
    for action in verb._actions:
        if action.option_strings or isinstance(action, argparse._SubParsersAction):
            continue
        names = known.get(str(action.metavar))
        found += names() if names else ()
        found += map(str, action.choices or ())
    return " ".join(dict.fromkeys(found))
