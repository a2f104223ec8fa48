"""The built-in orders: every field of an answer stands in its text, and each text in one split."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.orders import EXAMPLE, FIELDS, Order, generate_orders, order_record
from bedrock_rft_sim.data.problems import split_of
from bedrock_rft_sim.recipe import load_recipe
from rewards import exact_match, json_schema

SPLITS = ("train", "validation", "test")


def take(count: int, *, seed: int = 0, split: str = "train") -> list[Order]:
    return list(generate_orders(count, seed=seed, split=split))


@pytest.mark.parametrize("split", SPLITS)
def test_every_field_stands_in_the_text_once(split: str) -> None:
    for order in take(800, split=split):
        assert tuple(order.fields) == FIELDS
        words = order.text.replace(",", " ").replace(".", " ").replace("?", " ").split()
        words = [word.strip(":") for word in words]
        for name in ("customer", "item", "city"):
            assert words.count(str(order.fields[name])) == 1, order
        assert str(order.fields["quantity"]) in words


def test_the_same_arguments_give_the_same_orders_and_no_text_comes_twice() -> None:
    orders = take(3000, seed=7)
    assert orders == take(3000, seed=7)
    assert take(50, seed=8) != orders[:50]
    assert len({order.text for order in orders}) == len({order.id for order in orders}) == 3000


def test_a_text_belongs_to_one_split_whatever_the_seed() -> None:
    for split in SPLITS:
        assert {split_of(order.text) for order in take(300, seed=3, split=split)} == {split}


def test_the_example_in_every_prompt_gives_no_answer_away() -> None:
    example = {str(value) for value in EXAMPLE["fields"].values()} - {"3"}
    said = chain.from_iterable(order.fields.values() for order in take(2000))
    assert example & set(map(str, said)) == set()


def test_a_right_answer_is_read_by_the_reward_and_by_exact_match() -> None:
    for order in take(100):
        record = order_record(order)
        answer = {"role": "assistant", "content": record["reference_answer"]}
        event = [{**record, "messages": [*record["messages"], answer]}]
        [graded] = json_schema.lambda_handler(event, None)
        assert graded["aggregate_reward_score"] == 1
        assert exact_match.lambda_handler(event, None)[0]["aggregate_reward_score"] == 1
        assert json.loads(record["reference_answer"]) == order.fields


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_recipe_trains_and_validates_on_orders_by_their_name(split: plan.Split) -> None:
    recipe = load_recipe("quickstart", sets=["local.trainingData=orders:30"])
    rows = list(plan.source_rows(recipe, split))
    assert len(rows) == (30 if split == "train" else plan.DEFAULT_VALIDATION_COUNT)
    assert rows[0].source == f"orders ({split})"
    assert [message["role"] for message in rows[0].messages] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
