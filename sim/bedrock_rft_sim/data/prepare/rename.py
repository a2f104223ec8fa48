"""Call the people and the things of a problem by other names, in question and solution alike.

Only names of our own list, rename.toml, are taken, and only where nothing could go wrong: whole
words, no surname or shop behind them, no nickname beside them, a woman's name for a woman's. A
thing changes only when every one of its places is plain.
"""

from __future__ import annotations

import random
import re

from bedrock_rft_sim.files import table_beside

_WORDS = table_beside(__file__, "rename.toml")
Renaming = dict[str, str]
"""Old word to new word; every whole word of a text is looked up."""

_WORD = re.compile(r"[A-Za-zÀ-ÿ]+")
_ABOUT_WORDS = re.compile(r"\b(?:letters?|initials?|alphabet\w*|spell\w*|names?|vowels?)\b", re.I)
"""A problem that may count the letters of what would be renamed."""


def draw_renaming(question: str, solution: str, rng: random.Random) -> Renaming | None:
    """Return new names for the people and things of the problem; None where none is safe."""
    text = f"{question}\n{solution}"
    if _ABOUT_WORDS.search(text):
        return None
    return {**_people(text, rng), **_things(text, rng)} or None


def rename(text: str, renaming: Renaming) -> str:
    """Return the text with every word of the renaming replaced."""
    return _WORD.sub(lambda match: renaming.get(match.group(), match.group()), text)


def _people(text: str, rng: random.Random) -> Renaming:
    words = set(_WORD.findall(text))
    beginnings = {word[:3] for word in words}  # of a name, a nickname or one to be mixed up with it
    renaming: Renaming = {}
    for names in (_WORDS["women"], _WORDS["men"]):
        present = [name for name in names if name in words]
        unused = [name for name in names if name[:3] not in beginnings]
        safe = [name for name in present if _is_safe_name(name, text, words)]
        renaming |= dict(zip(safe, rng.sample(unused, len(safe)), strict=True))
    return renaming


def _is_safe_name(name: str, text: str, words: set[str]) -> bool:
    if any(word != name and word[:1].isupper() and word[:3] == name[:3] for word in words):
        return False
    if name.upper() in words or name.lower() in words:
        return False
    for match in re.finditer(rf"(?<![\w]){name}(?!\w)", text):
        before, after = text[: match.start()], text[match.end() :]
        if re.match(r"['’](?!s)|-\w|\s[A-Z](?!\w)\.?|\s[A-Z][a-z]|['’]s\s[A-Z]|\.\w", after):
            return False
        if re.search(
            r"(?:[a-z,]\s(?:[A-Z][a-zA-Z]*|St\.)|\b(?:Mr|Mrs|Ms|Miss|Dr)\.?|-|@)\s?$", before
        ):
            return False
    return not (name.endswith("s") and re.search(rf"\b{name}['’]", text))


def _things(text: str, rng: random.Random) -> Renaming:
    words = {word.lower() for word in _WORD.findall(text)}
    for kind in rng.sample(_WORDS["things"], len(_WORDS["things"])):
        present = [pair for pair in kind if words & set(pair)]
        unused = [pair for pair in kind if not words & set(pair)]
        if len(present) == 1 and unused and _is_plain(present[0], text):
            return dict(zip(present[0], rng.choice(unused), strict=True))
    return {}


def _is_plain(thing: list[str], text: str) -> bool:
    """Say whether each place of the thing is the thing itself and not part of another."""
    singular, plural = thing
    for match in re.finditer(rf"(?<![A-Za-z])({singular}|{plural})(?![A-Za-z])", text, re.I):
        after = text[match.end() :]
        following = re.match(r"\s([A-Za-z]+)", after)
        if not match.group().islower() or (after[:1] in "-/'’" and after):
            return False  # "Rose" may be a woman
        if following and following.group(1).lower() not in _WORDS["beside_things"]:
            return False
        if re.search(r"-\w*\s?$", text[: match.start()]):
            return False
    return True
