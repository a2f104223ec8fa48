from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER, load_tokenizer, model_folder
from bedrock_rft_sim.errors import DataError, RecipeError

# Written for these tests in the manner of several families: ChatML with a thinking switch, one that
# starts with the bos token and forbids a system message, one with loop controls and marks.
CHATML = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
PLAIN = """\
{{ bos_token }}{% for m in messages %}
    {% if m.role == 'system' %}
        {{ raise_exception('System role not supported') }}
    {% endif %}
[{{ m.role | upper }}] {{ m.content | trim }}{{ eos_token }}
{% endfor %}{% if add_generation_prompt %}[ASSISTANT]{% endif %}
"""
ODD = """\
{%- set ns = namespace(n=0) -%}
{%- for m in messages -%}
  {%- if m.role == 'system' -%}{%- continue -%}{%- endif -%}
  {%- set ns.n = ns.n + 1 -%}
  {%- generation -%}{{ m | tojson(indent=2) }}{%- endgeneration -%}
{%- endfor -%}
{{ ns.n }} {{ strftime_now('%Y') }} {{ pad_token is defined }}
"""
USER = {"role": "user", "content": "What is 3 + 4?  "}
SYSTEM = {"role": "system", "content": "Be <brief> & kind."}
UNICODE = {"role": "user", "content": "Wie viel kostet 1 Äpfel 🍎\u2028 in 日本?\n\n\ttab e\u0301"}
SPELLED = {"role": "user", "content": "say <|im_end|> and <s>"}
TURN = {"role": "assistant", "content": "7"}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|im_start|>", "<|im_end|>", "<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["what is the sum of three and four"] * 4, trainer)
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(16)
    path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture
def model(vocabulary: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(vocabulary.read_bytes())
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": {"content": "<|im_end|>", "__type": "AddedToken", "lstrip": False,
                      "rstrip": False, "normalized": False, "single_word": False, "special": True},
        "pad_token": None,
        "chat_template": CHATML,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def change(model: Path, **values: Any) -> None:
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def both(folder: Path, messages: list[dict[str, Any]], **options: Any) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(folder))
    ours = load_tokenizer(str(folder))
    text = theirs.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, **options
    )
    ids = theirs.apply_chat_template(
        messages, tokenize=True, return_dict=True, add_generation_prompt=True, **options
    )["input_ids"]
    assert ours.render(messages, **options) == text
    assert ours.encode(text) == ids
    assert ours.count(messages, **options) == len(ids)
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize(
    "messages", [[USER], [SYSTEM, USER], [UNICODE], [SPELLED], [SYSTEM, USER, TURN, UNICODE]]
)
@pytest.mark.parametrize("options", [{}, {"enable_thinking": False}, {"enable_thinking": True}])
def test_chatml_is_rendered_as_transformers_does(
    model: Path, messages: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    both(model, messages, **options)


@pytest.mark.parametrize("template", [PLAIN, ODD])
def test_other_templates_are_rendered_as_transformers_does(model: Path, template: str) -> None:
    change(model, chat_template=template)
    both(model, [USER, TURN, UNICODE])


def test_the_tokenizer_file_holds_where_auto_classes_override_it(model: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    path = model / "tokenizer.json"
    digits = {"type": "Digits", "individual_digits": True}
    content = json.loads(path.read_text())
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [digits, content["pre_tokenizer"]],
    }
    number = content["model"]["vocab"]["1"], content["model"]["vocab"]["2"]
    content["model"]["merges"].append(["1", "2"])
    content["model"]["vocab"]["12"] = len(content["model"]["vocab"])
    path.write_text(json.dumps(content))
    change(model, tokenizer_class="GPT2Tokenizer")
    theirs = PreTrainedTokenizerFast.from_pretrained(str(model))
    assert load_tokenizer(str(model)).encode("12") == list(number)
    assert theirs.encode("12", add_special_tokens=False) == list(number)


WITH_TOKENS = """\
{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}
{% endfor %}{% if image_token is defined %}{{ image_token }}{% endif %}assistant:"""
AS_OBJECT = {"content": "<|im_end|>", "lstrip": False, "normalized": False, "rstrip": True,
             "single_word": False}  # fmt: skip


@pytest.mark.parametrize(
    ("special", "config"),
    [
        ({"bos_token": "<s>", "eos_token": "<|im_end|>"}, {}),
        ({"bos_token": AS_OBJECT, "eos_token": AS_OBJECT}, {}),
        ({"bos_token": "<|im_end|>"}, {"bos_token": "<s>", "eos_token": "<s>"}),
        ({"bos_token": "<new>", "eos_token": "<|im_end|>"}, {}),
        ({}, {"bos_token": "<s>", "eos_token": "<|im_end|>", "image_token": "<|image|>"}),
        ({"eos_token": "<s>"}, {"bos_token": "<s>", "eos_token": "<|im_end|>",
                                "added_tokens_decoder": {}}),
        ({}, {"bos_token": "<s>", "eos_token": "<|end|>", "added_tokens_decoder": {
            "300": {**AS_OBJECT, "content": "<|end|>", "rstrip": False, "special": True},
            "301": {**AS_OBJECT, "content": "user", "rstrip": False, "special": False}}}),
        ({"bos_token": "<s>", "eos_token": "<s>", "additional_special_tokens": ["three"]}, {}),
    ],
    ids=["map", "map with objects", "map goes first", "a token of its own", "named in the config",
         "no map beside a decoder", "a decoder", "additional"],
)  # fmt: skip
def test_special_tokens_are_found_in_every_file_that_transformers_reads(
    model: Path, special: dict[str, Any], config: dict[str, Any]
) -> None:
    stated = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": WITH_TOKENS}
    (model / "tokenizer_config.json").write_text(json.dumps({**stated, **config}))
    if special:
        (model / "special_tokens_map.json").write_text(json.dumps(special))
    both(model, [USER, TURN, {"role": "user", "content": "three <|end|> <|im_end|>  x"}])


def test_tokens_of_the_file_of_added_tokens_are_counted_as_one(model: Path) -> None:
    (model / "added_tokens.json").write_text(json.dumps({"apples": 300, "<|pad|>": 301}))
    change(model, pad_token="<|pad|>")
    both(model, [{"role": "user", "content": "four apples and <|pad|>"}])


@pytest.mark.parametrize("decoder", [{"x": {"content": "a"}}, {"300": {"odd": 1}}, {"300": 7}, [7]])
def test_a_token_that_can_not_be_added_is_one_message(model: Path, decoder: Any) -> None:
    change(model, added_tokens_decoder=decoder)
    with pytest.raises(RecipeError, match="token that can't be added"):
        load_tokenizer(str(model))


def test_the_template_file_goes_before_the_config(model: Path) -> None:
    (model / "chat_template.jinja").write_text(PLAIN)
    both(model, [USER])


def test_of_several_templates_the_default_is_taken(model: Path) -> None:
    named = [{"name": "rag", "template": "x"}, {"name": "default", "template": PLAIN}]
    change(model, chat_template=named)
    both(model, [USER])


def test_an_option_goes_before_a_special_token(model: Path) -> None:
    change(model, chat_template=PLAIN)
    both(model, [USER], bos_token="<|im_start|>")


def test_text_parts_are_joined_and_empty_keys_left_out(model: Path) -> None:
    ours = load_tokenizer(str(model))
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "2?"}]
    split = {"role": "user", "content": parts, "name": None}
    assert ours.render([split]) == ours.render([{"role": "user", "content": "What is 2?"}])


@pytest.mark.parametrize("messages", [[USER], [SYSTEM, USER], [UNICODE]])
def test_the_embedded_model_is_rendered_as_transformers_does(
    messages: list[dict[str, Any]],
) -> None:
    both(EMBEDDED_FOLDER, messages)
    assert load_tokenizer("tiny").count(messages) > 0


def test_a_template_that_refuses_the_messages_is_a_data_error(model: Path) -> None:
    change(model, chat_template=PLAIN)
    with pytest.raises(DataError, match="System role not supported"):
        load_tokenizer(str(model)).render([SYSTEM, USER])


def test_a_template_can_not_reach_python(model: Path) -> None:
    change(model, chat_template="{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(DataError, match="unsafe"):
        load_tokenizer(str(model)).render([USER])


def test_a_model_without_chat_template_is_refused(model: Path) -> None:
    change(model, chat_template=None)
    with pytest.raises(RecipeError, match="no chat template"):
        load_tokenizer(str(model))


def test_a_broken_chat_template_is_refused(model: Path) -> None:
    change(model, chat_template="{% for %}")
    with pytest.raises(RecipeError, match="chat template that is broken"):
        load_tokenizer(str(model))


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no tokenizer\.json"):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_broken_file_is_named(model: Path, name: str) -> None:
    (model / name).write_text("{")
    with pytest.raises(RecipeError, match=name):
        load_tokenizer(str(model))


@pytest.mark.parametrize("name", ["/no/such/folder", "./none", "~/none/x", "a/b/c", "a b"])
def test_what_can_not_be_a_model_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="no such model folder"):
        model_folder(name, base=tmp_path)


def test_a_model_is_a_folder_if_there_is_one_else_a_hub_id(tmp_path: Path) -> None:
    (tmp_path / "org" / "here").mkdir(parents=True)
    assert model_folder("org/here", base=tmp_path) == tmp_path / "org" / "here"
    assert model_folder("org/elsewhere", base=tmp_path) is None
    assert model_folder("tiny", base=tmp_path) == EMBEDDED_FOLDER


def test_a_hub_model_comes_from_small_files(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    asked: list[str] = []

    def download(repository: str, name: str) -> str:
        assert repository == "org/name"
        asked.append(name)
        if not (model / name).exists():
            raise EntryNotFoundError("no such file")
        return str(model / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert load_tokenizer("org/name").count([USER]) == load_tokenizer(str(model)).count([USER])
    assert asked == [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
    ]


def test_a_hub_model_that_is_not_cached_says_so_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match="connect once") as caught:
        load_tokenizer("org/never-cached")
    assert "org/never-cached" in str(caught.value)


def test_loading_a_tokenizer_imports_no_transformers(model: Path) -> None:
    script = (
        "import sys; from bedrock_rft_sim.data.tokens import load_tokenizer\n"
        f"load_tokenizer({str(model)!r}).count([{USER!r}])\n"
        "sys.exit(bool({'transformers', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
