import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import parse_recipe
from bedrock_rft_sim.recipe.local import LOCAL_MODELS
from bedrock_rft_sim.recipe.reader import read_document

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
FIELDS = LOCAL_MODELS["bedrock"].model_fields
NAMES = [field.alias or name for name, field in FIELDS.items()]
NESTED = {
    "lambda": list(FIELDS["lambda_"].annotation.model_fields),
    "training": list(FIELDS["training"].annotation.model_fields),
    "overrides": ["learningRate", "batchSize", "batch_size", "evalInterval", "reasoningEffort"],
}


def paths(data, path=()):
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from paths(value, (*path, key))


def replaced(data, path, value):
    copy = json.loads(json.dumps(data))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return copy


@pytest.mark.parametrize("which", ["nova", "open_weight"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_stands_anywhere_is_a_recipe_or_a_recipe_error(nova, open_weight, data, which):
    text = {"nova": nova, "open_weight": open_weight}[which]
    recipe = read_document(text, name="text").data
    path = data.draw(st.sampled_from(list(paths(recipe))))
    changed = replaced(recipe, path, data.draw(ANYTHING))
    with suppress(RecipeError):
        json.dumps(parse_recipe(json.dumps(changed), name="text").resolved(), allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_local_says_is_a_recipe_or_a_recipe_error(nova, data):
    recipe = read_document(nova, name="text").data
    name = data.draw(st.sampled_from(NAMES))
    if name in NESTED:
        value = {data.draw(st.sampled_from(NESTED[name])): data.draw(ANYTHING)}
    else:
        value = data.draw(ANYTHING)
    recipe["local"][name] = value
    with suppress(RecipeError):
        json.dumps(parse_recipe(json.dumps(recipe), name="text").resolved(), allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_whatever_the_file_holds_is_a_recipe_error(text):
    with pytest.raises(RecipeError):
        parse_recipe(text, name="text")
