"""Fill a prompt template from a record's fields.

Only `{field}` of a field that exists is a place to fill; every other brace is text, so that
LaTeX and JSON in a template need no escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bedrock_rft_sim.errors import RecipeError

TEMPLATES = {
    "samples": '{question} Let\'s think step by step and output the final answer after "####".',
    "short": '{question} Give the final answer after "####".',
    "boxed": "{question} Think step by step and put the final answer into \\boxed{}.",
    "plain": "{question}",
}
"""`samples` is the wording of AWS's GSM8K samples (aws-samples/amazon-bedrock-samples), which took
it from verl; `boxed` asks for the form of the walkthrough's variant; the others are ours."""

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with places for fields."""

    text: str

    def fill(self, fields: Mapping[str, str]) -> str:
        """Return the prompt; what is filled in is never looked at for places."""
        return _PLACE.sub(lambda place: fields.get(place[1], place[0]), self.text)


def template(text: str, *, fields: Iterable[str]) -> Template:
    """Return the template of that name, or of that text.

    Raises:
        RecipeError: the text has no place for any of the fields.
    """
    chosen = TEMPLATES.get(text, text)
    names = sorted(fields)
    if not set(_PLACE.findall(chosen)) & set(names):
        raise RecipeError(
            "the template has no place for the question",
            where="--template",
            expected=f"one of {', '.join(TEMPLATES)}, or a text with "
            + " or ".join(f"{{{name}}}" for name in names),
            found=repr(text),
            hint=f"write {{{names[0]}}} where it belongs",
        )
    return Template(chosen)
