"""Which prompts a run validates on."""

from __future__ import annotations

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.recipe import load_recipe


def validated(*sets: str) -> list[str]:
    small = "local.trainingData=problems:32", "local.validationData=problems:40"
    recipe = load_recipe("quickstart", sets=[*small, *sets])
    return [row.id for row in plan.read_data(recipe, load_tokenizer(recipe.model)).validation]


def test_validation_prompts_take_a_part_in_order_the_same_whatever_the_seed() -> None:
    everything = validated()
    part = validated("local.validationPrompts=8")
    assert len(everything) == 40
    assert len(part) == 8
    assert part == sorted(part, key=everything.index)
    assert part != everything[:8]
    assert part == validated("local.validationPrompts=8", "local.seed=1")


def test_more_validation_prompts_than_there_are_take_them_all() -> None:
    assert validated("local.validationPrompts=500") == validated()


def test_the_job_on_bedrock_validates_on_all_of_them() -> None:
    recipe = load_recipe("quickstart", sets=["local.validationPrompts=8"])
    assert recipe.as_sent().local.validationPrompts is None
