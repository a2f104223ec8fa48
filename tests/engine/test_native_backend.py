"""The engine `native`: transformers' greedy tokens, its distribution, the same model afterwards."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedrock_rft_sim.data.problems import generate, to_record
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import load_tokenizer
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.errors import EngineError

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft's

CPU = Device("cpu", "here", "float32", 0)
PROMPTS = [[5, 9, 12], [40, 41], [7], [7] * 30, [100, 3, 100, 3], [5, 9, 12], [40, 41], [5, 9, 12]]
GREEDY = SamplingParams(24, temperature=0)


def native(model: Any, **options: Any) -> Sampler:
    return Sampler.load(str(model), CPU, engine="native", **options)


def plain(model: Any) -> Sampler:
    return Sampler.load(str(model), CPU, engine="transformers")


def tokens(sampler: Sampler, prompts: Sequence[Sequence[int]], params: Any) -> list[list[int]]:
    return [answer.tokens for answer in sampler.sample(prompts, params)]


def questions(count: int) -> list[list[int]]:
    chat = load_chat_tokenizer("tiny")
    records = [to_record(each, shape="open-weight") for each in generate(count, seed=0)]
    return [chat.encode(chat.render(record["messages"])) for record in records]


@pytest.fixture(scope="module")
def tiny() -> Sampler:
    return native("tiny")


@pytest.fixture
def lora(small_model: Callable[..., Path]) -> Any:
    """A model with adapters that change its answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(small_model("qwen2"), dtype=torch.float32)
    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(base, config)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_greedy_tokens_are_those_of_transformers(
    architecture: str, small_model: Callable[..., Path]
) -> None:
    samplers = [plain(small_model(architecture)), native(small_model(architecture))]
    for sampler in samplers:
        enliven(sampler.model)
    whole, ours = (tokens(sampler, PROMPTS, GREEDY) for sampler in samplers)
    assert ours == whole
    for sampler in samplers:  # rows that end early, and leave
        sampler._ends |= {whole[0][2], whole[2][7], whole[3][12]}
    assert min(len(set(answer)) for answer in whole) > 4
    expected, ours = (tokens(sampler, PROMPTS, GREEDY) for sampler in samplers)
    assert ours == expected
    assert len({len(answer) for answer in expected}) > 2


def enliven(model: Any) -> None:
    """Make an untrained model, which repeats its last token, jump from one to another."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layers" in name and weight.ndim == 2:
                weight.mul_(20)


def test_greedy_tokens_of_the_embedded_model_are_those_of_transformers(tiny: Sampler) -> None:
    params = SamplingParams(78, temperature=0)
    assert tokens(tiny, questions(24), params) == tokens(plain("tiny"), questions(24), params)


@pytest.mark.parametrize(
    "shaped", [{}, {"temperature": 0.7}, {"top_k": 12}, {"top_p": 0.6}, {"top_k": 30, "top_p": 0.8}]
)
def test_a_token_is_drawn_as_often_as_its_probability_says(
    shaped: dict[str, Any], small_model: Callable[..., Path]
) -> None:
    """Pearson's chi-square over the tokens that are expected at least five times."""
    import torch
    from scipy import stats

    draws, prompt = 6000, PROMPTS[3]
    sampler = native(small_model("qwen3"))
    with torch.no_grad():
        sampler.model.get_output_embeddings().weight.mul_(3)  # some tokens likelier than others
        logits = sampler.model(torch.tensor([prompt])).logits[0, -1].double()
    params = SamplingParams(1, seed=3, **shaped)
    drawn = Counter(answer[0] for answer in tokens(sampler, [prompt] * draws, params))
    expected = draws * exact(logits / shaped.get("temperature", 1.0), **shaped)
    often = (expected >= 5).nonzero()[:, 0].tolist()
    wanted = expected[often] / expected[often].sum()
    seen = [drawn[token] for token in often]
    assert set(drawn) <= set(expected.nonzero()[:, 0].tolist())
    assert sum(seen) == pytest.approx(expected[often].sum(), abs=150)
    assert len(often) > 10
    assert stats.chisquare(seen, (wanted * sum(seen)).tolist()).pvalue > 0.001


def exact(logits: Any, *, top_k: int = 0, top_p: float = 1.0, **_: Any) -> Any:
    """The likeliest k tokens, of those the fewest that reach p, in their proportions."""
    import torch

    order = logits.argsort(descending=True)[: top_k or None]
    likely = logits[order].softmax(0)
    order = order[: int((likely.cumsum(0) < top_p).sum()) + 1]
    return torch.zeros_like(logits).index_copy(0, order, logits[order].softmax(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_token_without_probability_is_never_drawn(dtype: str) -> None:
    import torch

    from bedrock_rft_sim.engine.decoding import draw

    never = float("-inf")
    scores = torch.tensor([[never, never, 0.3, never, 0.1, never]]).repeat(3, 1)
    numbers = torch.tensor([[0.0], [0.5], [1.0]], dtype=getattr(torch, dtype))
    assert draw(scores, numbers)[:, 0].tolist() == [2, 2, 4]


@pytest.mark.slow
def test_answers_are_as_long_and_as_various_as_those_of_transformers(tiny: Sampler) -> None:
    """Kolmogorov and Smirnov's test of lengths, and of each answer's likelihood under the model."""
    from scipy import stats

    prompts = [prompt for prompt in questions(8) for _ in range(24)]
    params = SamplingParams(60, seed=5)
    ours, theirs = tokens(tiny, prompts, params), tokens(plain("tiny"), prompts, params)
    assert ours != theirs
    lengths = [[len(answer) for answer in answers] for answers in (ours, theirs)]
    assert stats.ks_2samp(*lengths).pvalue > 0.01
    assert stats.ks_2samp(*(scores(tiny, prompts, each) for each in (ours, theirs))).pvalue > 0.01


def scores(sampler: Sampler, prompts: Any, answers: Any) -> list[float]:
    import torch

    found = []
    for prompt, answer in zip(prompts, answers, strict=True):
        with torch.no_grad():
            logits = sampler.model(torch.tensor([[*prompt, *answer]])).logits[0]
        chosen = logits[len(prompt) - 1 : -1].log_softmax(-1).gather(1, torch.tensor([answer]).T)
        found.append(float(chosen.mean()))
    return found


@pytest.mark.parametrize("params", [GREEDY, SamplingParams(24, seed=1)])
def test_neither_room_for_few_rows_nor_shapes_that_stay_change_an_answer(
    params: SamplingParams, tiny: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedrock_rft_sim.engine import native_backend

    prompts = [prompt for prompt in questions(5) for _ in range(4)]
    expected = tokens(tiny, prompts, params)
    assert len({len(answer) for answer in expected}) > 1
    monkeypatch.setattr(native_backend, "cells", lambda *_: 7 * 192)
    assert tokens(tiny, prompts, params) == expected
    monkeypatch.setattr(tiny._backend, "_is_cuda", True)
    assert [tokens(tiny, prompts, params) for _ in range(2)] == [expected] * 2
    kept = list(tiny._backend._kept)
    assert sum(shape.cells for shape in kept) <= 7 * 192
    assert tiny._backend._decoder(kept[-1], 7 * 192, None) is tiny._backend._kept[kept[-1]]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let a stand-in play torch's CUDA graphs; return those that were captured."""
    import torch

    from bedrock_rft_sim.engine.decoding import Decoder

    captured: list[Any] = []
    step = Decoder._step

    class Graph:
        decoder: Any = None

        def replay(self) -> None:
            step(self.decoder)

    @contextmanager
    def record(graph: Graph) -> Iterator[None]:
        captured.append(graph)
        with monkeypatch.context() as patch:  # recording runs nothing
            patch.setattr(Decoder, "_step", lambda decoder: setattr(graph, "decoder", decoder))
            yield

    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    return captured


def test_a_step_is_captured_once_and_what_warmed_it_up_is_taken_back(
    tiny: Sampler, graphs: list[Any]
) -> None:
    import torch

    from bedrock_rft_sim.engine.decoding import BatchShape, Decoder
    from bedrock_rft_sim.engine.key_value_store import attention_of_stores

    shape = BatchShape(6, 192, SamplingParams(24), frozenset(tiny._ends), torch.float32)
    prompts, numbers = questions(6), torch.rand(6, 24)
    answers = []
    with torch.no_grad(), attention_of_stores(tiny.model):
        for has_graph in (False, True):
            decoder = Decoder(tiny.model, shape)
            decoder._has_graph = has_graph
            answers += [decoder.decode(prompts, numbers, is_static=True) for _ in range(2)]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert len(graphs) == 1


def test_a_step_that_no_graph_holds_is_left_to_another_engine(
    graphs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from bedrock_rft_sim.engine.decoding import Decoder

    @contextmanager
    def refuse(_graph: Any) -> Iterator[None]:
        yield
        raise RuntimeError("operation not permitted when stream is capturing")

    made = Decoder.__init__

    def make(decoder: Decoder, *arguments: Any) -> None:
        made(decoder, *arguments)
        decoder._has_graph = True

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    monkeypatch.setattr(Decoder, "__init__", make)
    sampler = Sampler.load("tiny", CPU, engine="auto")
    sampler._backend._is_cuda = True
    params = SamplingParams(8, seed=4)
    assert tokens(sampler, questions(2), params) == tokens(plain("tiny"), questions(2), params)
    assert "no CUDA graph holds its step: operation not permitted" in sampler.engine.why
    assert not graphs


def test_adapters_are_merged_for_the_time_of_sampling_and_taken_out_bit_for_bit(
    lora: Any, small_model: Callable[..., Path]
) -> None:
    import torch

    before = {name: value.clone() for name, value in lora.state_dict().items()}
    own = {name: (id(value), value.requires_grad) for name, value in lora.named_parameters()}
    tokenizer = load_tokenizer(str(small_model("qwen2")))
    expected = tokens(Sampler(lora, tokenizer, engine="transformers"), PROMPTS, GREEDY)
    assert tokens(Sampler(lora, tokenizer, engine="native"), PROMPTS, GREEDY) == expected
    assert expected != tokens(native(small_model("qwen2")), PROMPTS, GREEDY)
    assert all(torch.equal(value, before[name]) for name, value in lora.state_dict().items())
    after = {name: (id(value), value.requires_grad) for name, value in lora.named_parameters()}
    assert after == own


def test_memory_that_a_graph_reads_is_filled_anew_with_the_weights_of_the_day(lora: Any) -> None:
    import torch

    from bedrock_rft_sim.engine.plain_weights import PlainWeights

    layer = lora.get_base_model().model.layers[0].self_attn.q_proj
    places = []
    weights = PlainWeights(lora, keeps_memory=True)
    for _ in range(2):
        expected = layer.base_layer.weight + layer.get_delta_weight("default")
        with torch.no_grad(), weights.instead(torch.bfloat16):
            merged = layer.base_layer.weight
            assert torch.equal(merged, expected.bfloat16())
            places.append(merged.data_ptr())
            assert lora.get_input_embeddings().weight.dtype == torch.float32
        layer.lora_B["default"].weight.data += 1
    assert places[0] == places[1]


def test_mixed_precision_agrees_with_the_model_s_own_forward_pass(
    small_model: Callable[..., Path],
) -> None:
    sampler = Sampler.load(
        str(small_model("qwen3")), Device("cpu", "here", "bfloat16", 0), engine="native"
    )
    assert [len(answer) for answer in tokens(sampler, PROMPTS, SamplingParams(4, seed=1))]
    assert {parameter.dtype.itemsize for parameter in sampler.model.parameters()} == {4}


def test_log_probabilities_that_differ_end_the_engine_with_nothing_lost(
    small_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedrock_rft_sim.engine import native_backend

    folder, params = small_model("qwen3"), SamplingParams(8, seed=4)
    monkeypatch.setattr(native_backend, "TOLERANCE", -1.0)
    sampler = Sampler.load(str(folder), CPU, engine="auto")
    assert sampler.engine.name == "native"
    assert tokens(sampler, PROMPTS, params) == tokens(plain(folder), PROMPTS, params)
    assert sampler.engine.name == "transformers"
    assert "other log-probabilities" in sampler.engine.why
    with pytest.raises(EngineError, match=r"local.engine: native.*\n.*other log-probabilities"):
        native(folder).sample(PROMPTS, params)


def test_answers_that_are_watched_are_checked_before_they_are_shown(
    small_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedrock_rft_sim.engine import native_backend

    folder, params = small_model("qwen3"), SamplingParams(8, seed=4)
    seen: list[int] = []

    def watch(row: int, answer: Sequence[int]) -> bool:
        seen.append(len(answer))
        return False

    first = native(folder).sample(PROMPTS[:1], params, watch=watch)
    assert first == native(folder).sample(PROMPTS[:1], params)
    monkeypatch.setattr(native_backend, "TOLERANCE", -1.0)
    seen.clear()
    [answer] = Sampler.load(str(folder), CPU, engine="auto").sample(
        PROMPTS[:1], params, watch=watch
    )
    assert seen == [length + 1 for length in range(len(answer.tokens))]


SIZES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
UNFIT = {
    "Mistral": ({"sliding_window": 4}, "sliding window"),
    "Qwen2": ({"use_sliding_window": True, "max_window_layers": 1}, "sliding_attention"),
    "Gemma2": ({}, "sliding_attention"),
    "GptOss": ({"num_local_experts": 4}, "sliding_attention"),
    "Mixtral": ({"num_local_experts": 2}, "experts"),
    "Mamba": ({"state_size": 4}, "can't be exchanged"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_model_that_does_not_fit_is_answered_by_transformers_which_says_why(
    name: str, small_model: Callable[..., Path]
) -> None:
    import transformers

    changed, why = UNFIT[name]
    sizes = {**SIZES, "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1, **changed}
    config = getattr(transformers, f"{name}Config")(**sizes)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    tokenizer = load_tokenizer(str(small_model("llama")))
    sampler = Sampler(model, tokenizer, engine="auto")
    assert sampler.engine.name == "transformers"
    assert why in sampler.engine.why
    assert len(sampler.sample([[5, 6, 7]], SamplingParams(3, temperature=0))) == 1
    with pytest.raises(EngineError, match=why):
        Sampler(model, tokenizer, engine="native")


def test_one_of_several_end_tokens_ends_an_answer(small_model: Callable[..., Path]) -> None:
    sampler = native(small_model("llama"))
    whole = sampler.sample(PROMPTS, GREEDY)
    ends = {answer.tokens[3] for answer in whole if len(answer.tokens) > 4}
    model = copy.copy(sampler.model)
    model.generation_config = copy.copy(model.generation_config)
    model.generation_config.eos_token_id = [2, *ends]
    several = Sampler(model, sampler._tokenizer, engine="native")
    for answer, full in zip(several.sample(PROMPTS, GREEDY), whole, strict=True):
        first = next((i for i, t in enumerate(full.tokens) if t in ends), len(full.tokens))
        assert answer.tokens == full.tokens[: first + 1]


def test_a_seed_decides_the_answers_of_each_row(tiny: Sampler) -> None:
    prompts = [prompt for prompt in questions(3) for _ in range(3)]
    params = SamplingParams(24, seed=9)
    first = tokens(tiny, prompts, params)
    assert tokens(tiny, prompts, params) == first
    assert tokens(tiny, prompts, replace(params, seed=10)) != first
