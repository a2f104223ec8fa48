"""Read a recipe from a name, a file or a text, and refuse whatever can't be rehearsed.

Deliberately stops at the first problem that makes a rehearsal meaningless and collects the rest:
a value that only Bedrock would refuse is kept as a refusal.
Sources: the checks in `bedrock_rft_sim.recipe.dialects`; `bedrock_rft_sim.recipe.local`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bedrock_rft_sim.contract.knobs import Settings
from bedrock_rft_sim.contract.lambda_variables import fault_of_variables
from bedrock_rft_sim.errors import RecipeError, demand
from bedrock_rft_sim.files import named_errors, regular
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName, Refusal
from bedrock_rft_sim.recipe.local import LOCAL_MODELS, TEMPLATE_OWN, Local, VllmSettings
from bedrock_rft_sim.recipe.local_errors import complain
from bedrock_rft_sim.recipe.reader import SIZE_MAX, Document, read_document
from bedrock_rft_sim.recipe.recipe import Recipe
from bedrock_rft_sim.recipe.resolve import resolve
from bedrock_rft_sim.recipe.set_options import apply_sets
from bedrock_rft_sim.recipe.shipped import (
    BUILT_IN,
    find_recipe,
    find_reward,
    is_bare,
    is_shipped_reward,
    reward_name,
)
from bedrock_rft_sim.recipe.wording import Keys, Plain, described, did_you_mean, dotted

_LOCAL: Final = "local"
_NAME_MAX: Final = 63
SHIPPED: Final = ("recipe", "sweep")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each value came from, for messages."""

    name: str
    document: Document
    behind: dict[Keys, str]
    folder: Path
    """Where relative paths start."""

    def where(self, keys: Keys) -> str:
        """Name the --set or the file and line behind a path."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.behind:
                return self.behind[keys[:length]]
        return f"{self.name}:{self.document.line(keys)}"


def load_recipe(source: str | Path, *, sets: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe by its bare name, or a file; each of `sets` is KEY=VALUE, as of --set.

    Raises:
        RecipeError: there is none, or it can't be rehearsed.
        ArgumentError: an argument is of the wrong type.
    """
    demand("source", source, str, Path, expected="the name of a shipped recipe, or a path")
    several = "a list of texts such as local.maxSteps=10"
    demand("sets", sets, list, tuple, expected=several)
    for each in sets:
        demand("an entry of sets", each, str, expected=several)
    path = find_recipe(source) if isinstance(source, str) and is_bare(source) else Path(source)
    return parse_recipe(read_text(path), name=str(path), path=path.resolve(), sets=sets)


def recipe_of(given: str | Path | Recipe) -> Recipe:
    """Return a recipe that is one already, or read it by its name or path.

    Raises:
        RecipeError: there is none, or it can't be rehearsed.
        ArgumentError: it is neither.
    """
    expected = "the name of a shipped recipe, a path, or what load_recipe returned"
    demand("recipe", given, str, Path, Recipe, expected=expected)
    return given if isinstance(given, Recipe) else load_recipe(given)


def parse_recipe(
    text: str, *, name: str, path: Path | None = None, sets: Sequence[str] = ()
) -> Recipe:
    """Read a recipe from its text; `name` is what messages call it."""
    document = read_document(text, name=name)
    data = _as_mapping(document.data, name=name)
    folder = path.parent if path else Path.cwd()
    places = _Places(name, document, apply_sets(data, sets), folder)
    request = {key: value for key, value in data.items() if key != _LOCAL}
    dialect = _tell_dialect(request, places)
    refusals = _check_request(dialect, request, places)
    local = _check_local(dialect, data.get(_LOCAL), places)
    local = _check_validation(dialect, request, local, places=places)
    settings, provenance = resolve(dialect, request, local)
    _check_quantization(settings, places)
    _check_vllm(local, settings, places)
    return Recipe(
        name=_folder_name(DIALECTS[dialect].job_name(request) or Path(name).stem),
        path=path,
        text=text,
        dialect=dialect,
        request=request,
        local=local,
        settings=settings,
        refusals=refusals,
        provenance=provenance,
    )


def read_text(path: Path, kind: str = "recipe") -> str:
    """Return the text of a recipe, or of another `kind` of file that is written alike.

    Raises:
        RecipeError: it can't be read, is too large or is not UTF-8.
    """
    shipped = f", or the bare name of a shipped {kind}" if kind in SHIPPED else ""
    expected = f"a YAML or JSON file{shipped}"
    with named_errors(path, f"read the {kind}", kind=RecipeError, expected=expected):
        with regular(path) as file:
            content = file.read(SIZE_MAX + 1)
        if len(content) > SIZE_MAX:
            most, found = f"at most {SIZE_MAX:,} bytes", f"{path.stat().st_size:,} bytes"
            raise RecipeError("too large", where=str(path), expected=most, found=found)
        return content.decode("utf-8-sig")


def _as_mapping(data: Plain, *, name: str) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    found = "nothing" if data is None else described(data)
    expected = "the request's keys and local:"
    raise RecipeError("not a recipe", where=name, expected=expected, found=found)


def _tell_dialect(request: dict[str, Any], places: _Places) -> DialectName:
    own = {name: [key for key in request if key in DIALECTS[name].KEYS] for name in DIALECTS}
    if all(own.values()):
        one, other = (keys[0] for keys in own.values())
        raise RecipeError(
            "two dialects in one recipe",
            where=places.where((other,)),
            expected="either create_model_customization_job's keys or fine_tuning.jobs' keys",
            found=f"{one} and {other}",
        )
    for name, keys in own.items():
        if keys:
            return name
    known = sorted(key for dialect in DIALECTS.values() for key in dialect.KEYS)
    first = next(iter(request), None)
    raise RecipeError(
        "no request found",
        where=places.where((first,) if first else ()),
        expected="jobName, customizationConfig, ... or model, method, ...; rft init writes them",
        found=", ".join(request) or "nothing",
        hint=did_you_mean(first or "", known)
        or "add the arguments of create_model_customization_job",
    )


def _check_request(
    dialect: DialectName, request: dict[str, Any], places: _Places
) -> tuple[Refusal, ...]:
    refusals = list(DIALECTS[dialect].check(request))
    for refusal in refusals:
        if not refusal.rehearsable:
            raise _as_error(refusal, places)
    return tuple(refusals)


def _as_error(refusal: Refusal, places: _Places) -> RecipeError:
    missing = refusal.problem == "missing key"
    hint = refusal.hint or _hint(refusal)
    return RecipeError(
        f"{refusal.problem} {refusal.path}",
        where=places.where(refusal.keys),
        expected=f"{refusal.rule} ({refusal.source})",
        found="nothing" if missing else described(refusal.value),
        hint=hint,
    )


def _hint(refusal: Refusal) -> str | None:
    if refusal.problem == "unknown key" and "." not in refusal.path:
        return did_you_mean(refusal.path, [_LOCAL])
    quoted = refusal.problem == "wrong type" and isinstance(refusal.value, str)
    return "a number in quotes is a string" if quoted and "number" in refusal.rule else None


def _check_local(dialect: DialectName, data: Plain, places: _Places) -> Local:
    if not isinstance(data, dict):
        raise RecipeError(
            "missing key local" if data is None else "wrong type local",
            where=places.where((_LOCAL,)),
            expected="local: with at least model, trainingData and reward",
            found="nothing" if data is None else described(data),
            hint=f"rft init --from {places.name} writes one beside the request",
        )
    model = LOCAL_MODELS[dialect]
    try:
        local = model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        keys = (_LOCAL, *details["loc"])
        raise complain(details, model=model, where=places.where(keys)) from error
    fault = fault_of_variables(local.lambda_.environment)
    if fault is not None:
        found, where = {**asdict(fault)}, places.where((_LOCAL, "lambda", "environment"))
        raise RecipeError(found.pop("what"), where=where, **found)
    for name in ("trainingData", "validationData"):
        _check_source(getattr(local, name), where=places.where((_LOCAL, name)), name=name)
    taken = sorted(local.chatTemplateKwargs.keys() & TEMPLATE_OWN)
    if taken:
        keys = (_LOCAL, "chatTemplateKwargs", taken[0])
        raise RecipeError(
            f"{dotted(keys)} can't be chosen",
            where=places.where(keys),
            expected="a name that the model's chat template asks for, such as enable_thinking",
            found=f"{taken[0]}, which is given to every template",
            hint="remove it",
        )
    if is_shipped_reward(local.reward, base=places.folder):
        find_reward(local.reward, where=places.where((_LOCAL, "reward")))
    _check_second_opinions(local, places)
    return local


def _check_second_opinions(local: Local, places: _Places) -> None:
    seen: set[str] = set()
    for place, reward in enumerate(local.alsoGrade):
        where = places.where((_LOCAL, "alsoGrade", place))
        if is_shipped_reward(reward, base=places.folder):
            find_reward(reward, where=where)
        name = reward_name(reward)
        if name in seen:
            raise RecipeError(
                "two rewards of local.alsoGrade have one name",
                where=where,
                expected="names that differ, since each names a metric",
                found=f"{name} twice",
                hint="rename one of the files",
            )
        seen.add(name)


def _check_source(text: str | None, *, where: str, name: str) -> None:
    if text is None or not is_bare(text):
        return
    kind, colon, count = text.partition(":")
    if kind in BUILT_IN and (not colon or re.fullmatch(r"[1-9][0-9]{0,6}", count)):
        return
    raise RecipeError(
        f"unknown data local.{name}",
        where=where,
        expected="problems or orders, with :N for at least 1 record, or a path to a .jsonl file",
        found=text,
        hint=did_you_mean(text, BUILT_IN) or "a file of yours needs a slash or its suffix",
    )


def _check_validation(
    dialect: DialectName, request: dict[str, Any], local: Local, *, places: _Places
) -> Local:
    named = DIALECTS[dialect].names_validation(request)
    if not named or local.validationData is not None:
        return local
    generator = local.trainingData.partition(":")[0]
    if generator in BUILT_IN:
        filled = local.model_copy(update={"validationData": generator})
        filled.model_fields_set.discard("validationData")  # nobody stated it
        return filled
    keys: Keys = ("validationDataConfig",) if dialect == "bedrock" else ("validation_file",)
    raise RecipeError(
        "nothing stands in for the validation file",
        where=places.where(keys),
        expected="local.validationData, a path to a .jsonl file",
        found=f"{dotted(keys)} without it",
        hint=f"add local.validationData, or remove {dotted(keys)}",
    )


def _check_quantization(settings: Settings, places: _Places) -> None:
    if settings.quantization is not None and settings.training == "full":
        keys = (_LOCAL, "training", "quantization")
        raise RecipeError(
            f"{dotted(keys)} needs LoRA",
            where=places.where(keys),
            expected="local.training.method: lora, since quantized weights can't be trained",
            found="full, the default of the embedded model or as stated",
            hint="set local.training.method to lora, or leave quantization out",
        )


def _check_vllm(local: Local, settings: Settings, places: _Places) -> None:
    """Refuse settings that can't hold together."""
    own, is_vllm, engine = local.vllm, local.engine == "vllm", f"local.engine: {local.engine}"
    is_server, mode = own.mode == "server", f"local.vllm.mode: {own.mode}"
    faults = (
        # whether it is so; the key, what of it; expected, found, next step
        (not is_vllm and own != VllmSettings(), "vllm", "is read by the engine vllm alone",
         "local.engine: vllm", engine, "change local.engine, or leave vllm out"),
        (is_server and own.serverUrl is None, "vllm.serverUrl", "is missing",
         "a URL, for example http://localhost:8000", mode, "name what vllm serve has started"),
        (not is_server and own.serverUrl is not None, "vllm.serverUrl", "has no use",
         "local.vllm.mode: server", mode, "change local.vllm.mode, or leave serverUrl out"),
        (is_vllm and settings.quantization is not None, "engine", "can't be vllm here",
         "weights that adapters can be merged into", "local.training.quantization: nf4",
         "leave one of the two out"),
    )  # fmt: skip
    for is_wrong, key, what, expected, found, hint in faults:
        if is_wrong:
            keys: Keys = (_LOCAL, *key.split("."))
            raise RecipeError(
                f"{dotted(keys)} {what}",
                where=places.where(keys),
                expected=expected,
                found=found,
                hint=hint,
            )


def _folder_name(name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9+._-]+", "-", name).strip("-.")[:_NAME_MAX]
    return safe or "run"
