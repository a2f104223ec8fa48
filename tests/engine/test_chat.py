"""Answers of one conversation: what is said, what is sent when, and why it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.chat import ChatModel, ModelRequest, first_stop, sendable
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import load_tokenizer, model_source
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.errors import DataError, TrainingError

CPU = Device("cpu", "here", "float32", 0)
ASK = [{"role": "user", "content": "Tom has 3 apples and buys 4 more. How many apples has he?"}]
GREEDY = ModelRequest("tiny", ASK, max_tokens=64, temperature=0)


@pytest.fixture(scope="module")
def tiny() -> ChatModel:
    return ChatModel("tiny", CPU)


def test_a_greedy_answer_is_the_one_that_validation_gives(tiny: ChatModel) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    source = model_source("tiny")
    chat = load_chat_tokenizer("tiny")
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    [expected] = Sampler(model, load_tokenizer(source)).sample(
        [chat.encode(chat.render(ASK))], SamplingParams(64, temperature=0)
    )
    answer = tiny.answer(GREEDY)
    assert answer.text == expected.text
    assert answer.stop_reason == expected.stop_reason == "stop"
    assert answer.completion_tokens == len(expected.tokens)
    assert answer.prompt_tokens == chat.count(ASK)


def test_the_pieces_make_up_the_answer(tiny: ChatModel) -> None:
    pieces: list[str] = []
    answer = tiny.answer(GREEDY, on_piece=pieces.append)
    assert "".join(pieces) == answer.text
    assert len(pieces) > 3


def test_the_same_seed_gives_the_same_answer_and_leaves_torch_as_it_was(
    tiny: ChatModel,
) -> None:
    import torch

    before = torch.random.get_rng_state()
    first, second = (
        tiny.answer(ModelRequest("tiny", ASK, max_tokens=32, seed=5)) for _ in range(2)
    )
    others = {
        tiny.answer(ModelRequest("tiny", ASK, max_tokens=32, seed=seed)).text for seed in range(8)
    }
    assert first == second
    assert len(others) > 1
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_answer_that_reaches_the_limit_says_so(tiny: ChatModel) -> None:
    answer = tiny.answer(ModelRequest("tiny", ASK, max_tokens=3, temperature=0))
    assert (answer.stop_reason, answer.completion_tokens) == ("length", 3)


def test_a_stop_sequence_ends_the_answer_and_is_never_sent(tiny: ChatModel) -> None:
    whole = tiny.answer(GREEDY).text
    stop = whole[len(whole) // 2 :][:4]
    pieces: list[str] = []
    answer = tiny.answer(
        ModelRequest("tiny", ASK, max_tokens=64, temperature=0, stop=("nowhere", stop)),
        on_piece=pieces.append,
    )
    assert answer.text == "".join(pieces) == whole[: whole.index(stop)]
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)


def test_an_answer_that_is_no_longer_wanted_ends_at_once(tiny: ChatModel) -> None:
    assert tiny.answer(GREEDY, is_unwanted=lambda: True).completion_tokens == 1


def test_messages_that_fill_the_context_are_refused(tiny: ChatModel) -> None:
    with pytest.raises(DataError, match="fill the model's whole context"):
        tiny.answer(ModelRequest("tiny", [{"role": "user", "content": "apples " * 3000}]))


def test_the_context_bounds_the_answer(tiny: ChatModel) -> None:
    ask = [{"role": "user", "content": "a b " * 1250}]
    answer = tiny.answer(ModelRequest("tiny", ask, temperature=0))
    assert answer.prompt_tokens > 2400
    assert answer.prompt_tokens + answer.completion_tokens <= 2560


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft's own
def test_adapters_answer_with_their_base(small_model: Callable[..., Path], tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = small_model("qwen3")
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    model.save_pretrained(tmp_path / "adapters")
    tuned = ChatModel(str(tmp_path / "adapters"), CPU)
    plain = ChatModel(str(base), CPU)
    answers = [
        each.answer(ModelRequest("tiny", ASK, max_tokens=8, temperature=0))
        for each in (plain, tuned)
    ]
    expected = (
        model.merge_and_unload()
        .eval()
        .generate(
            input_ids=torch.tensor([tuned._chat.encode(tuned._chat.render(ASK))]),
            do_sample=False,
            max_new_tokens=8,
        )
    )
    assert answers[1].text == tuned._chat.decode(expected[0, answers[1].prompt_tokens :].tolist())
    assert answers[0].text != answers[1].text


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / name).write_bytes((Path(model_source("tiny")) / name).read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    with pytest.raises(TrainingError, match="the model can't be loaded"):
        ChatModel(str(tmp_path), CPU)


TEXTS = st.text(alphabet="ab#", max_size=12)


@given(text=TEXTS, stop=st.lists(TEXTS.filter(bool), max_size=3))
def test_what_is_sent_early_is_never_taken_back(text: str, stop: list[str]) -> None:
    final, _ = first_stop(text, stop)
    for length in range(len(text) + 1):
        so_far, stopped = first_stop(text[:length], stop)
        sent = so_far if stopped else so_far[: sendable(so_far, stop)]
        assert final.startswith(sent)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [("12 #", ["####"], 3), ("12 \ufffd", [], 3), ("12", [], 2), ("a##", ["##b", "#c"], 1)],
)
def test_the_end_is_held_back_while_it_may_change(
    text: str, stop: list[str], expected: Any
) -> None:
    assert sendable(text, stop) == expected
