"""Write a recipe: a request as it is, or a blank one, and every key of `local:` explained.

What is said of a key comes from the models of `bedrock_rft_sim.recipe.local` and the table of
knobs. Deliberately checks nothing itself: a text that can't be rehearsed is refused as in any file.
Sources: those of `bedrock_rft_sim.contract.knobs`.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.contract.knobs import (
    KNOBS,
    LORA_LEARNING_RATE,
    OPEN_WEIGHT_LEARNING_RATE,
    DialectName,
    Knob,
    defaults,
)
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.recipe.load import parse_recipe
from bedrock_rft_sim.recipe.local import LOCAL_MODELS
from bedrock_rft_sim.recipe.reader import read_document, read_scalar
from bedrock_rft_sim.recipe.recipe import Recipe
from bedrock_rft_sim.recipe.resolve import EMBEDDED_MODEL

WIDTH: Final = 100
WORDS_FROM: Final = 38
"""The column of what is said of a key, where it fits behind it."""
_PLAIN: Final = re.compile(r"[A-Za-z][\w./+-]*(:[\w./+-]+)*")
FIRST_STEPS: Final = 20
FIRST_VALIDATION: Final = 64
"""Of a first look: a run that ends in minutes."""
_SMALL: Final[Mapping[bool, Mapping[str, float]]] = {
    True: {"batch_size": 16, "max_prompt_length": 512, "inference_max_tokens": 96},
    False: {
        "batch_size": 4,
        "max_prompt_length": 512,
        "samples_per_prompt": 4,
        "inference_max_tokens": 256,
    },
}
"""The most of each that a first look takes, by whether the model is the embedded one."""
_HEAD: Final = """\
# {title}
# rft check {file}, then rft run {file}
"""
_NOVA: Final = """\
# The request, word for word: the keyword arguments of create_model_customization_job (boto3).
jobName: my-rehearsal
customModelName: my-rehearsal
roleArn: arn:aws:iam::123456789012:role/BedrockRFTRole
baseModelIdentifier: amazon.nova-2-lite-v1:0:256k
customizationType: REINFORCEMENT_FINE_TUNING
trainingDataConfig: {s3Uri: "s3://my-bucket/train.jsonl"}
{validation}outputDataConfig: {s3Uri: "s3://my-bucket/output/"}
customizationConfig:
  rftConfig:
    graderConfig:
      lambdaGrader:
        lambdaArn: arn:aws:lambda:us-east-1:123456789012:function:my-reward
    hyperParameters:
"""
_NOVA_VALIDATION: Final = (
    'validationDataConfig: {validators: [{s3Uri: "s3://my-bucket/validation.jsonl"}]}\n'
)
_OPEN_WEIGHT: Final = """\
# The request, word for word: the JSON body of POST /v1/fine_tuning/jobs.
model: openai.gpt-oss-20b
training_file: file-abc123
method:
  type: reinforcement
  reinforcement:
    grader:
      type: lambda
      lambda: {function: "arn:aws:lambda:us-west-2:123456789012:function:my-reward"}
    hyperparameters:
"""
_BLANK: Final[Mapping[DialectName, str]] = {
    "bedrock": _NOVA,
    "openai": _OPEN_WEIGHT,
}
_ON_LOCAL: Final = """\

# What stays at home. A key behind # stands at its default: take the # away to change it.
# overrides, validationPrompts and maxSteps make a first look on a small machine; without them the
# request is rehearsed as it stands.
local:
"""


def blank_request(dialect: DialectName, *, validates: bool) -> str:
    """Return a complete request in YAML: defaults, and where AWS gives a better start, that."""
    validation = _NOVA_VALIDATION if validates else ""
    known = defaults(dialect) | {"learning_rate": LORA_LEARNING_RATE}
    lines = []
    for inner, knob in KNOBS.items():
        own = knob.in_request(dialect)
        if own is None or not own.documented:
            continue
        value = 1.0 if own.scales else known[inner].value
        if value is not None:
            lines.append(_line(f"      {own.name}: {_yaml(value)}", _meaning(knob, own.scales)))
    return _BLANK[dialect].replace("{validation}", validation) + "".join(lines)


def request_text(text: str, *, name: str) -> str:
    """Return a request, read from a file, in YAML: as it was written, unless it is JSON.

    Raises:
        RecipeError: it is neither.
    """
    data = read_document(text, name=name).data
    is_flow = text.lstrip().startswith("{")
    if is_flow and isinstance(data, dict):
        return "".join(_block(data, indent=""))
    return f"{text.rstrip()}\n"


def recipe_text(
    request: str,
    stated: Mapping[str, Any],
    *,
    path: Path,
    title: str,
    name: str | None = None,
    prompts: int | None = None,
) -> str:
    """Return a whole recipe for the file `path`: the request, and `local:` with what is stated.

    `title` is its first line; `name` is what messages call the request, if it has a file;
    `prompts` are those of its training file, if that is known: a step takes no more.

    Raises:
        RecipeError: the two can't be rehearsed together.
    """
    small = _small(_parsed(request, stated, path, name=name), prompts)
    first = {
        **stated,
        **({"overrides": small} if small else {}),
        "validationPrompts": FIRST_VALIDATION,
        "maxSteps": FIRST_STEPS,
    }
    recipe = _parsed(request, first, path, name=name)
    schema = LOCAL_MODELS[recipe.dialect].model_json_schema(by_alias=True)
    values = _defaults(recipe)
    local = _LocalText(schema["$defs"], values).lines(schema, first, place="", indent="  ")
    head = _HEAD.format(title=title, file=path.name)
    return f"{head}\n{request}{_ON_LOCAL}{''.join(local)}"


def _parsed(request: str, stated: Mapping[str, Any], path: Path, *, name: str | None) -> Recipe:
    text = f"{request}local: {json.dumps(stated)}\n"
    return parse_recipe(text, name=name or str(path), path=path.resolve())


def _small(recipe: Recipe, prompts: int | None) -> dict[str, Any]:
    """Return the overrides of a first look, where the request asks for more."""
    settings, found = recipe.settings, {}
    limits = dict(_SMALL[recipe.local.model == EMBEDDED_MODEL])
    if prompts:
        trained = int(prompts * (1 - (settings.validation_split or 0)))
        limits["batch_size"] = max(1, min(limits["batch_size"], trained))
    for inner, most in limits.items():
        if getattr(settings, inner) > most:
            found[KNOBS[inner].override(recipe.dialect)] = most
    if settings.learning_rate < LORA_LEARNING_RATE.value:  # a small model bears no less
        found["learningRate"] = LORA_LEARNING_RATE.value
    return {str(name): value for name, value in found.items()}


def _defaults(recipe: Recipe) -> dict[str, Any]:
    """Return what each knob is where `local:` leaves it out, by dotted name under `local:`."""
    dialect, sent = recipe.dialect, recipe.as_sent().settings
    found: dict[str, Any] = {}
    for inner, knob in KNOBS.items():
        own, name, value = knob.in_request(dialect), knob.override(dialect), getattr(sent, inner)
        if own and own.scales:
            stated = DIALECTS[dialect].hyperparameters(recipe.request)
            found[f"overrides.{own.name}"] = stated.get(own.name, 1.0)
            value = OPEN_WEIGHT_LEARNING_RATE.value
        for path in (knob.local, name and f"overrides.{name}"):
            if path:
                found[path] = value
    return found


class _LocalText:
    """The lines of `local:`, from its JSON Schema."""

    def __init__(self, sections: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._sections, self._values = sections, values

    def lines(
        self, schema: Mapping[str, Any], stated: Mapping[str, Any], *, place: str, indent: str
    ) -> Iterator[str]:
        """Yield the keys of a section in their order, those that are not stated behind #."""
        for name, known in schema["properties"].items():
            path, words = f"{place}{name}", _words(known)
            section = self._section(known)
            start = indent if name in stated or "#" in indent else f"{indent}#"
            if section is None:
                value = stated[name] if name in stated else self._default(path, known)
                yield _line(f"{start}{name}: {_yaml(value)}", words)
            else:
                yield _line(f"{start}{name}:", words)
                inside, below = stated.get(name, {}), f"{start}  "
                yield from self.lines(section, inside, place=f"{path}.", indent=below)

    def _section(self, known: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the schema of a key that holds keys, None for any other."""
        for kind in (known, *known.get("anyOf", ()), *known.get("allOf", ())):
            if "$ref" in kind:
                found: Mapping[str, Any] = self._sections[kind["$ref"].rpartition("/")[2]]
                return found if "properties" in found else None
        return None

    def _default(self, path: str, known: Mapping[str, Any]) -> Any:
        empties: dict[str, Any] = {"array": [], "object": {}}
        empty = empties.get(known.get("type", ""))
        return self._values.get(path, known.get("default", empty))


def _words(known: Mapping[str, Any]) -> str:
    kinds = (known, *known.get("anyOf", ()))
    choices = next((kind["enum"] for kind in kinds if "enum" in kind), ())
    listed = f" One of {', '.join(map(str, choices))}." if choices else ""
    return f"{' '.join(known.get('description', '').split())}{listed}".strip()


def _meaning(knob: Knob, scales: bool) -> str:
    return "Scales the base learning rate." if scales else knob.means


def _line(code: str, words: str) -> str:
    """Return a line of code with what is said of it, behind it or, where it is long, above."""
    beside = f"{code:<{WORDS_FROM - 1}} # {words}"
    if not words or len(beside) <= WIDTH:
        return f"{beside if words else code}\n"
    margin = code[: len(code) - len(code.lstrip())] + "# "
    above = textwrap.wrap(words, WIDTH, initial_indent=margin, subsequent_indent=margin)
    return "\n".join([*above, code, ""])


def _block(data: Mapping[str, Any], *, indent: str) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{_yaml(key)}:\n"
            yield from _block(value, indent=f"{indent}  ")
        else:
            yield f"{indent}{_yaml(key)}: {_yaml(value)}\n"


def _yaml(value: Any) -> str:
    """Return a value in one line, in quotes only where it would be read as something else."""
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value)
    if is_plain and read_scalar(value, where=value) == value:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
