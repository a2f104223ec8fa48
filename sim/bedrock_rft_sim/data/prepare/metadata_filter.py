"""Bedrock's filter on request metadata: which log entries are taken.

`requestMetadataFilters` is one of equals, notEquals (each one name and value), andAll and orAll
(1 to 16 of those). What the service does with an entry that lacks the name is not published; here
such an entry does not equal, and so passes notEquals.

Sources: botocore service model bedrock/2023-04-20, RequestMetadataFilters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.dialects.service_model import check_shape, input_shape

Filter = Mapping[str, Any]
"""As the request spells it."""


def from_words(words: Sequence[str], *, match_any: bool = False) -> Filter | None:
    """Return the filter that `name=value` and `name!=value` say together; None of no words.

    Raises:
        RecipeError: a word has neither sign, or the service would refuse the filter.
    """
    if not words:
        return None
    base = [_base(word) for word in words]
    both = "orAll" if match_any else "andAll"
    return checked(base[0] if len(base) == 1 else {both: base})


def _base(word: str) -> Filter:
    name, sign, value = word.partition("=")
    if not sign or not name.rstrip("!"):
        raise RecipeError(
            "the metadata filter can't be read",
            where="--metadata",
            expected="name=value or name!=value",
            found=word,
            hint="write it without blanks around the sign",
        )
    if name.endswith("!"):
        return {"notEquals": {name[:-1]: value}}
    return {"equals": {name: value}}


def checked(value: Any) -> Filter:
    """Return the filter as given.

    Raises:
        RecipeError: it is not what the service takes.
    """
    training = input_shape("bedrock", "CreateModelCustomizationJob").members["trainingDataConfig"]
    shape = training.members["invocationLogsConfig"].members["requestMetadataFilters"]
    for refusal in check_shape(shape, value, keys=("requestMetadataFilters",)):
        raise RecipeError(
            refusal.problem,
            where=refusal.path,
            expected=refusal.rule,
            found=repr(refusal.value),
            hint=refusal.hint or refusal.source,
        )
    found: Filter = value
    return found


def matches(wanted: Filter | None, metadata: Mapping[str, Any]) -> bool:
    """Return whether an entry with this metadata is taken; a base filter's members all hold."""
    if wanted is None:
        return True
    if "andAll" in wanted:
        return all(matches(each, metadata) for each in wanted["andAll"])
    if "orAll" in wanted:
        return any(matches(each, metadata) for each in wanted["orAll"])
    equal = wanted.get("equals", {}).items()
    other = wanted.get("notEquals", {}).items()
    return all(metadata.get(name) == value for name, value in equal) and all(
        metadata.get(name) != value for name, value in other
    )
