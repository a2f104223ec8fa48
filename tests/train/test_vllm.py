"""Rollouts by vLLM, as TRL drives it, with stand-ins for vLLM itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.errors import RecipeError, TrainingError
from bedrock_rft_sim.recipe import Recipe, extras, load_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.run import RunResult
from tests.vllm_stand_in import (
    ENGINE_OPTIONS,
    Pushed,
    StandInClient,
    StandInLLM,
    StandInParams,
    install,
)

URL = "http://127.0.0.1:8000"
SERVER = ("local.vllm.mode=server", f"local.vllm.serverUrl={URL}")
SAMPLING = (
    "local.training.temperature=0.8", "local.training.topP=0.9", "local.training.topK=40",
)  # fmt: skip


@pytest.fixture
def rehearsed(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    small_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Path, Pushed]]:
    """Return a function that runs two steps by vLLM; it gives the folder and what vLLM saw."""
    quiet.silence_libraries(offline=True)

    def make(*sets: str) -> tuple[Path, Pushed]:
        install(monkeypatch, str(small_model("qwen3")))
        result = run(recipe_for("local.maxSteps=2", "local.engine=vllm", *sets))
        made: Any = StandInClient if "local.vllm.mode=server" in sets else StandInLLM
        return result.folder, made.made.pushed

    return make


@pytest.mark.parametrize("mode", [(), SERVER], ids=["colocate", "server"])
def test_vllm_answers_with_the_weights_of_each_step_and_the_recipe_s_sampling(
    mode: tuple[str, ...], rehearsed: Callable[..., tuple[Path, Pushed]]
) -> None:
    folder, pushed = rehearsed(*mode, *SAMPLING)
    record = RunFolder.open(folder).read_record()
    assert record["engine"]["name"] == "vllm"
    assert ("server" if mode else "colocate") in record["engine"]["why"]
    assert "transformers answers for validation" in record["engine"]["why"]
    first, second = pushed.answered_with
    assert any(not first[name].equal(second[name]) for name in first)  # a step was learnt
    for asked in pushed.asked:
        assert asked["n"] == (4 if mode else 1)
        assert {name: asked[name] for name in ("temperature", "top_p", "top_k", "max_tokens")} == {
            "temperature": 0.8, "top_p": 0.9, "top_k": 40, "max_tokens": 8,
        }  # fmt: skip
        assert (asked["min_p"], asked["repetition_penalty"]) == (0.0, 1.0)
    assert len(pushed.rows) == 2 * 16
    told = [each.tokens for step in (1, 2) for each in RunFolder.open(folder).read_rollouts(step)]
    assert told == pushed.rows


def test_adapters_are_pushed_merged_and_the_frozen_weights_stay_as_they_were(
    rehearsed: Callable[..., tuple[Path, Pushed]], small_model: Callable[..., Path]
) -> None:
    from transformers import AutoModelForCausalLM

    folder, pushed = rehearsed("local.training.method=lora", "local.dtype=bfloat16")
    base = dict(AutoModelForCausalLM.from_pretrained(small_model("qwen3")).named_parameters())
    first, second = pushed.answered_with
    name = "model.layers.0.self_attn.q_proj.weight"
    assert first[name].allclose(base[name], atol=1e-6)  # the adapters begin at zero
    assert not second[name].allclose(base[name], atol=1e-6)
    frozen = "model.embed_tokens.weight"
    assert not base[frozen].equal(base[frozen].bfloat16().float())
    assert second[frozen].equal(base[frozen])  # so not rounded to bfloat16
    assert RunFolder.open(folder).read_record()["update"]["name"] == "packed"


def check_vllm(*arguments: str) -> int:
    """Run the script for a GPU."""
    path = str(Path(__file__).parents[2] / "scripts/check_vllm")
    loader = SourceFileLoader("check_vllm", path)
    script = module_from_spec(spec_from_loader("check_vllm", loader))  # type: ignore[arg-type]
    loader.exec_module(script)
    found: int = script.main([*arguments, "--device", "cpu", "--method", "full"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("is_pushed", [True, False], ids=["pushed", "stale"])
def test_the_script_for_a_gpu_sees_weights_that_vllm_does_not_get(
    is_pushed: bool,
    small_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet.silence_libraries(offline=True)
    model = str(small_model("qwen3"))
    install(monkeypatch, model)
    if not is_pushed:
        monkeypatch.setattr(Pushed, "load_weights", lambda *_: None)
    assert check_vllm(model) == (0 if is_pushed else 1)
    printed = capsys.readouterr().out
    assert ("vLLM has the trainer's weights" in printed) is is_pushed
    assert printed.count(" nats, ") == 3


def test_an_unreachable_server_is_one_message(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    small_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet.silence_libraries(offline=True)
    install(monkeypatch, str(small_model("qwen3")))

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(StandInClient, "__init__", refuse)
    with pytest.raises(TrainingError, match="vLLM server can't be reached") as raised:
        run(recipe_for("local.engine=vllm", *SERVER))
    assert "vllm serve" in str(raised.value)
    assert '{"backend": "nccl"}' in str(raised.value)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (("local.vllm.sleep=true",), "read by the engine vllm alone"),
        (("local.engine=vllm", "local.vllm.mode=server"), "serverUrl is missing"),
        (("local.engine=vllm", f"local.vllm.serverUrl={URL}"), "serverUrl has no use"),
        (
            ("local.engine=vllm", "local.training.method=lora", "local.training.quantization=nf4"),
            "can't be vllm here",
        ),
    ],
)
def test_settings_that_can_t_hold_together_are_refused(sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("quickstart", sets=sets)


def test_what_vllm_is_told_is_resolved_where_it_has_a_say_alone() -> None:
    told = load_recipe("quickstart", sets=["local.engine=vllm", "local.vllm.sleep=true"])
    local = told.resolved()["local"]
    assert (local["vllm.sleep"]["value"], local["vllm.sleep"]["origin"]) == (True, "stated")
    assert local["vllm.importanceSampling"]["value"] == "off"
    assert not [key for key in load_recipe("quickstart").resolved()["local"] if "vllm" in key]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(RecipeError, match="needs the package vllm") as raised:
        extras.demand_extras(load_recipe("quickstart", sets=["local.engine=vllm"]))
    assert raised.value.hint == "pip install 'trl[vllm]>=1.16.0,<1.17'"


@pytest.mark.parametrize(
    "name", ["__init__", "init_communicator", "update_named_params", "generate", "get_server_info"]
)
def test_the_stand_in_takes_what_trl_s_client_takes(name: str) -> None:
    from trl.generation.vllm_client import VLLMClient

    theirs = inspect.signature(getattr(VLLMClient, name)).parameters
    ours = inspect.signature(getattr(StandInClient, name)).parameters
    own = [each for each, kind in ours.items() if kind.kind is not inspect.Parameter.VAR_KEYWORD]
    assert own == list(theirs)[: len(own)]
    if name == "generate":
        asked = (
            "repetition_penalty temperature top_p top_k min_p max_tokens logprobs "
            "structured_outputs_regex generation_kwargs"
        )
        assert set(asked.split()) <= set(theirs)


def test_the_stand_in_takes_what_vllm_s_engine_takes() -> None:
    vllm = pytest.importorskip("vllm")
    from vllm.engine.arg_utils import EngineArgs

    taken = {*inspect.signature(vllm.LLM.__init__).parameters}
    taken |= {*inspect.signature(EngineArgs).parameters}
    assert set(ENGINE_OPTIONS) <= taken
    inspect.signature(vllm.LLM.generate).bind(None, [{}], sampling_params=None, use_tqdm=False)
    inspect.signature(vllm.LLM.sleep).bind(None, level=2)
    inspect.signature(vllm.LLM.wake_up).bind(None, tags=["weights"])
    inspect.signature(vllm.LLM.reset_prefix_cache).bind(None)
    params = vllm.SamplingParams(
        n=1, repetition_penalty=1.0, temperature=0.8, top_p=0.9, top_k=0, min_p=0.0, max_tokens=8,
        logprobs=0,
    )  # fmt: skip
    assert all(hasattr(params, name) for name in inspect.signature(StandInParams).parameters)
