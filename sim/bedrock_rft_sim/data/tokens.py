"""Render and count prompts: a model's chat template and tokenizer, without the model.

It loads no weights and never imports transformers, which takes seconds; a test holds it to the
text and the tokens of `AutoTokenizer.apply_chat_template`. Templates come from model repositories
and are not trusted: they run in Jinja's immutable sandbox, after a trial in another process.

What tokenizer.json says is what holds. `AutoTokenizer` of transformers 5 puts a class's own
pre-tokenizer in the place of the file's for some classes (GPT2Tokenizer, thus SmolLM2), and then
splits digits otherwise than the model was trained on: huggingface/transformers issue 45812.

Sources: Hugging Face transformers documentation, chat templating (names a template may use);
huggingface_hub documentation, environment variables (HF_HUB_OFFLINE, HF_TOKEN).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bedrock_rft_sim.data.gguf import is_gguf, unpacked
from bedrock_rft_sim.data.template_trial import RENDERED_MAX, fault_of
from bedrock_rft_sim.errors import DataError, RecipeError
from bedrock_rft_sim.files import expanded

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from tokenizers import AddedToken, Tokenizer

EMBEDDED_MODEL = "tiny"
EMBEDDED_FOLDER = Path(__file__).parents[1] / "assets" / EMBEDDED_MODEL

TOKENIZER_FILE = "tokenizer.json"
ADAPTER_FILE = "adapter_config.json"
CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
# Read where the configuration has no `added_tokens_decoder`, as before transformers 4.34.
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"
DECODER = "added_tokens_decoder"

# What every tokenizer of transformers may have, in the order in which it adds them.
_SPECIAL_TOKENS = tuple(
    f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
)
_ANSWER = "The answer is 42."  # stands for one where only what surrounds it matters
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)

Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatTokenizer:
    """A chat template and a tokenizer, as the model's own repository defines them."""

    name: str
    """The model it belongs to, for messages to the user."""
    special_tokens: Mapping[str, str]
    """`bos_token`, `eos_token` … as text, where the model has them."""
    _template: Template
    _tokenizer: Tokenizer

    def render(self, messages: Sequence[Message], /, **template_kwargs: object) -> str:
        """Return the prompt as the model sees it, up to where its answer begins.

        Raises:
            DataError: the template refuses the messages (some know no system role).
        """
        try:
            text = self._template.render(
                messages=plain_messages(messages),
                tools=None,
                documents=None,
                **{"add_generation_prompt": True, **self.special_tokens, **template_kwargs},
            )
        except Exception as error:
            raise self._refused(str(error) or type(error).__name__) from error
        if len(text) > RENDERED_MAX:
            raise self._refused(f"a prompt of {len(text):,} characters")
        if _HALF_A_PAIR.search(text):
            raise self._refused("a prompt with half a character in it")
        return text

    def _refused(self, found: str) -> DataError:
        return DataError(
            f"the chat template of {self.name} refuses the messages",
            expected="messages that the model's template can render",
            found=found,
            hint="change the roles of the messages, or take a model that knows them",
        )

    def turn_end(self, messages: Sequence[Message], /, **template_kwargs: object) -> str:
        """Return what the template writes behind an answer to the messages; maybe nothing.

        Raises:
            DataError: the template refuses the messages.
        """
        turns = [*messages, {"role": "assistant", "content": _ANSWER}]
        template_kwargs["add_generation_prompt"] = False
        return self.render(turns, **template_kwargs).rpartition(_ANSWER)[2]

    def count(self, messages: Sequence[Message], /, **template_kwargs: object) -> int:
        """Return the number of prompt tokens, those of the chat template included."""
        return len(self.encode(self.render(messages, **template_kwargs)))

    def encode(self, text: str) -> list[int]:
        """Return the token ids; special tokens only where the text spells them."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def vanishing(self, text: str) -> list[str]:
        """Return the special tokens that the text spells, which decoding leaves out."""
        spelled = (self.decode([each], skip_special_tokens=False) for each in self.encode(text)
                   if not self.decode([each]))  # fmt: skip
        return [token for token in dict.fromkeys(spelled) if token]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text as `encode` counts them, on every core."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(each) for each in encoded]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Return the text of the token ids."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text


def plain_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages for a template: text parts joined, keys without a value left out."""
    return [
        {key: _plain(key, value) for key, value in message.items() if value is not None}
        for message in messages
    ]


def _plain(key: str, value: Any) -> Any:
    if key != "content" or isinstance(value, str):
        return value
    return "".join(part["text"] for part in value)


# Which model


def model_folder(model: str, *, base: Path) -> Path | None:
    """Return the folder that `model` names, relative to `base`; None for a Hub id.

    A GGUF file is unpacked, and the folder that came of it returned.

    Raises:
        RecipeError: it names a folder that is not there, or nothing that could be a model.
    """
    if model == EMBEDDED_MODEL:
        return EMBEDDED_FOLDER
    path = expanded(model)
    folder = path if path.is_absolute() else base / path
    if is_gguf(model):
        return unpacked(folder)
    if folder.is_dir():
        return folder
    if path.is_absolute() or model.startswith((".", "~")) or not _HUB_ID.fullmatch(model):
        raise RecipeError(
            "there is no such model folder",
            where="local.model",
            expected=f"{EMBEDDED_MODEL}, a folder with a Hugging Face model, a GGUF file, a Hub id",
            found=f"{model} (looked for {folder})",
        )
    return None


def adapter_base(folder: Path) -> str | None:
    """Return the base model that the adapters in the folder name; None for a whole model.

    Raises:
        RecipeError: the base is no longer where it was, or none is named.
    """
    path = folder / ADAPTER_FILE
    if not path.is_file():
        return None
    base = _config(str(folder), path).get("base_model_name_or_path")
    if isinstance(base, str) and (Path(base).exists() or _HUB_ID.fullmatch(base)):
        return base
    raise RecipeError(
        "the base model of these adapters is not there",
        where=f"local.model: {folder}",
        expected=f"a model folder or a Hub id under base_model_name_or_path of {ADAPTER_FILE}",
        found=str(base),
        hint="put the base back, or write there where it is now",
    )


def load_tokenizer(model: str) -> ChatTokenizer:
    """Load the tokenizer of `tiny`, of a folder (relative to the current one) or of a Hub id.

    Adapters without a tokenizer use that of their base.

    Raises:
        RecipeError: there is none, or it has no chat template.
    """
    folder = model_folder(model, base=Path())
    base = None if folder is None else adapter_base(folder)
    if folder is not None and base is not None and not (folder / TOKENIZER_FILE).is_file():
        return load_tokenizer(base)
    name = model if folder is None or model == EMBEDDED_MODEL else folder.name
    tokenizer_path = _file(model, folder, TOKENIZER_FILE)
    if tokenizer_path is None:
        _refuse(model, f"no {TOKENIZER_FILE}", hint="name a model with a fast tokenizer")
    config = _config(model, _file(model, folder, CONFIG_FILE))
    added: dict[str, Any] = {}
    if DECODER not in config:
        config |= _config(model, _file(model, folder, SPECIAL_FILE))
        added = _config(model, _file(model, folder, ADDED_FILE))
    tokenizer = _tokenizer(model, tokenizer_path)
    if tokenizer.padding is not None:
        config.setdefault("pad_token", tokenizer.padding["pad_token"])
    template_path = _file(model, folder, TEMPLATE_FILE)
    return ChatTokenizer(
        name=name,
        special_tokens=_special_tokens(config),
        _template=_compile(model, _template_text(model, template_path, config)),
        _tokenizer=_completed(model, tokenizer, config, added),
    )


def end_tokens(model: str, chat: ChatTokenizer) -> list[str]:
    """Return what ends an answer of the model, as text: the tokenizer's end token comes first.

    Raises:
        RecipeError: the tokenizer has none.
    """
    end = chat.special_tokens.get("eos_token")
    if end is None:
        raise RecipeError(
            "the model has no end token",
            where=f"local.model: {model}",
            expected=f"eos_token in {CONFIG_FILE}",
            found="none",
            hint="name an instruction-tuned model, or write there what ends a turn of its template",
        )
    stated = model_config(model, "generation_config.json")
    if "eos_token_id" not in stated:
        stated = model_config(model)
    ids = stated.get("eos_token_id")
    several = ids if isinstance(ids, list) else [ids]
    more = (chat.decode([each], skip_special_tokens=False) for each in several if each is not None)
    return list(dict.fromkeys([end, *more]))


def model_config(model: str, name: str = "config.json") -> dict[str, Any]:
    """Return a configuration file of the model, of adapters that of their base; {} without one."""
    folder = model_folder(model, base=Path())
    base = None if folder is None else adapter_base(folder)
    return _config(model, _file(model, folder, name)) if base is None else model_config(base, name)


def _refuse(model: str, found: str, *, hint: str) -> NoReturn:
    raise RecipeError(
        "the tokenizer can't be loaded",
        where=f"local.model: {model}",
        expected=f"{TOKENIZER_FILE} and a chat template",
        found=found,
        hint=hint,
    )


def _file(model: str, folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return _from_hub(model, name)
    path = folder / name
    return path if path.is_file() else None


def _from_hub(model: str, name: str) -> Path | None:
    """Return the cached or downloaded file; None where the repository has no such file."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name))
    except LocalEntryNotFoundError as error:  # no network, and not in the cache
        if name != TOKENIZER_FILE:
            return None
        _refuse(model, _first_line(error), hint="connect once, so that the model is cached")
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:  # every HTTP error and every malformed id
        _refuse(
            model, _first_line(error), hint="check the spelling, and HF_TOKEN for a gated model"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# The tokenizer


def _tokenizer(model: str, path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  the library raises bare Exception for a bad file
        _refuse(model, f"{path}: {_first_line(error)}", hint="fetch the file again")


def _completed(
    model: str, tokenizer: Tokenizer, config: Mapping[str, Any], added: Mapping[str, Any]
) -> Tokenizer:
    """Return the tokenizer with the tokens of the other files, and without padding."""
    tokenizer.no_padding()  # the file may carry settings for batches
    tokenizer.no_truncation()
    try:
        tokenizer.add_tokens(_tokens_beside(tokenizer, config, added))
    except (AttributeError, TypeError, ValueError) as error:  # no objects where they should be
        _refuse(model, f"a token that can't be added: {error}", hint="fetch the model again")
    return tokenizer


def _tokens_beside(
    tokenizer: Tokenizer, config: Mapping[str, Any], added: Mapping[str, Any]
) -> list[AddedToken]:
    """Return the tokens that stand in other files than tokenizer.json, in the order of their ids.

    `added` is ADDED_FILE: ids by token.
    """
    known = tokenizer.get_added_tokens_decoder()
    special = {text: stated for stated in _stated_special(config) if (text := _text_of(stated))}
    found = {int(each): _added_token(token) for each, token in (config.get(DECODER) or {}).items()}
    for text, each in added.items():
        if each not in known:
            is_special = text in special
            found[int(each)] = _added_token(text, special=is_special, normalized=not is_special)
    same = set(map(repr, known.values()))
    tokens = [found[each] for each in sorted(found) if repr(found[each]) not in same]
    there = {token.content for token in (*known.values(), *tokens)}
    unknown = [stated for text, stated in special.items() if text not in there]
    return [*tokens, *(_added_token(stated, special=True) for stated in unknown)]


def _added_token(stated: Any, **flags: bool) -> AddedToken:
    from tokenizers import AddedToken

    options = {k: v for k, v in stated.items() if k != "__type"} if isinstance(stated, dict) else {}
    content = options.pop("content", stated)
    return AddedToken(content, **{**options, **flags})


def _stated_special(config: Mapping[str, Any]) -> list[Any]:
    """Return the special tokens as the configuration states them, named or in a list."""
    extra = config.get("extra_special_tokens") or config.get("additional_special_tokens")
    return [*_named_special(config).values(), *(extra if isinstance(extra, list) else [])]


def _named_special(config: Mapping[str, Any]) -> dict[str, Any]:
    extra = config.get("extra_special_tokens")
    usual = {name: config[name] for name in _SPECIAL_TOKENS if name in config}
    own = {name: token for name, token in config.items() if name.endswith("_token")}
    return usual | own | (extra if isinstance(extra, dict) else {})


def _text_of(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _config(model: str, path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse(model, f"{path}: {_first_line(error)}", hint="fetch the file again")
    return config if isinstance(config, dict) else {}


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the named ones, which templates may name; transformers passes all that are there."""
    named = _named_special(config).items()
    return {name: text for name, token in named if (text := _text_of(token)) is not None}


# The template


def _template_text(model: str, path: Path | None, config: Mapping[str, Any]) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            _refuse(model, f"{path}: {_first_line(error)}", hint="fetch the file again")
    template = config.get("chat_template")
    if isinstance(template, list):  # several, by name
        named = (each for each in template if isinstance(each, dict))
        template = next((e.get("template") for e in named if e.get("name") == "default"), None)
    if not isinstance(template, str):
        _refuse(model, "no chat template", hint="name an instruction-tuned model")
    return template


def _compile(model: str, text: str) -> Template:
    hint = "fetch the model again"
    # Tried first: what is constant in a template is worked out as soon as it is compiled.
    fault = None if text == _embedded_template() else fault_of(text)
    if fault is not None:
        _refuse(model, fault, hint=hint)
    try:
        return environment().from_string(text)
    except Exception as error:  # noqa: BLE001 - a template is foreign code and may raise any
        _refuse(model, f"a chat template that is broken: {_first_line(error)}", hint=hint)


@lru_cache(maxsize=1)
def _embedded_template() -> str:
    return (EMBEDDED_FOLDER / TEMPLATE_FILE).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return Jinja with the settings and names that templates written for transformers expect."""
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's tokens for training; the text stays as it is."""

        tags = {"generation"}  # noqa: RUF012  jinja's own way to declare a tag

        def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter escapes HTML; templates expect plain JSON."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    import jinja2

    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    from datetime import datetime

    return datetime.now().astimezone().strftime(pattern)
