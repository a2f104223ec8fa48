"""The problem families as data: how each is worded, what is drawn, how it is solved.

Every wording here was written for this project; none is taken from GSM8K, whose style of
solution (calculator marks, a last line with the answer) is described in Cobbe et al.,
"Training Verifiers to Solve Math Word Problems", 2021.
Numbers stay small on purpose: a model of a million parameters must be able to learn them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a solution: `left operator right` gives the value called `result`."""

    result: str
    left: str
    operator: str
    right: str
    leads: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of problem; `ranges` are inclusive bounds of the numbers in the question."""

    name: str
    questions: tuple[str, ...]
    ranges: dict[str, tuple[int, int]]
    steps: tuple[Step, ...]


FAMILIES: tuple[Family, ...] = (
    Family(
        name="together",
        questions=(
            "{A} has {a} {things} and {B} has {b} {things}. "
            "How many {things} do they have together?",
            "{A} found {a} {things}. {B} found {b} {things}. How many {things} is that in all?",
            "There are {a} {things} in one box and {b} {things} in another. "
            "How many {things} are there?",
        ),
        ranges={"a": (3, 90), "b": (3, 90)},
        steps=(Step("total", "a", "+", "b", ("Together", "In all", "There are"), "{things}"),),
    ),
    Family(
        name="left_over",
        questions=(
            "{A} had {a} {things} and gave {b} of them to {B}. How many {things} are left?",
            "Of {A}'s {a} {things}, {b} were lost. How many {things} does {A} still have?",
            "A shop had {a} {goods} and sold {b} of them. How many {goods} remain?",
        ),
        ranges={"a": (20, 99), "b": (3, 80)},
        steps=(Step("left", "a", "-", "b", ("Left", "There remain", "Still there"), ""),),
    ),
    Family(
        name="packs",
        questions=(
            "{A} buys {a} packs of {things} with {b} {things} in each. How many {things} is that?",
            "There are {a} boxes. Each box holds {b} {things}. How many {things} are there?",
            "{A} puts {b} {things} into each of {a} bags. How many {things} does {A} use?",
        ),
        ranges={"a": (2, 12), "b": (2, 9)},
        steps=(Step("total", "a", "*", "b", ("In all", "That makes", "There are"), "{things}"),),
    ),
    Family(
        name="sharing",
        questions=(
            "{A} shares {a} {things} equally among {b} friends. "
            "How many {things} does each friend get?",
            "{a} {things} are put into {b} equal piles. How many {things} are in each pile?",
            "{A} packs {a} {things} into {b} bags, the same in each. How many are in one bag?",
        ),
        ranges={"a": (6, 90), "b": (2, 9)},
        steps=(Step("each", "a", "/", "b", ("Each gets", "In each", "Per part"), "{things}"),),
    ),
    Family(
        name="change",
        questions=(
            "{A} buys {n} {goods} for {p} dollars each and pays with {m} dollars. "
            "How much change does {A} get?",
            "{A} has {m} dollars and buys {n} {goods} at {p} dollars each. "
            "How many dollars are left?",
        ),
        ranges={"n": (2, 9), "p": (2, 9), "m": (20, 99)},
        steps=(
            Step("cost", "n", "*", "p", ("Cost", "The {goods} cost", "Price"), "dollars"),
            Step("left", "m", "-", "cost", ("Left", "Change", "So"), "dollars"),
        ),
    ),
    Family(
        name="times_as_many",
        questions=(
            "{A} has {a} {things}. {B} has {k} times as many. "
            "How many {things} do they have together?",
            "{B} has {k} times as many {things} as {A}, who has {a}. How many do both have?",
        ),
        ranges={"a": (2, 25), "k": (2, 4)},
        steps=(
            Step("more", "a", "*", "k", ("{B} has", "Then {B} has", "First"), "{things}"),
            Step("total", "more", "+", "a", ("Together", "In all", "Both have"), "{things}"),
        ),
    ),
    Family(
        name="pages",
        questions=(
            "A book has {t} pages. {A} reads {a} pages a day for {d} days. "
            "How many pages are left to read?",
            "{A} reads {a} pages every day. After {d} days, how many pages remain of a book "
            "of {t} pages?",
        ),
        ranges={"t": (60, 150), "a": (3, 12), "d": (2, 9)},
        steps=(
            Step("read", "a", "*", "d", ("Read", "{A} reads", "Done"), "pages"),
            Step("left", "t", "-", "read", ("Left", "Still", "So"), "pages"),
        ),
    ),
    Family(
        name="off_and_on",
        questions=(
            "A bus has {a} people. At a stop {b} get off and {c} get on. "
            "How many people are on the bus now?",
            "{A} had {a} {things}, gave away {b} and then got {c} more. "
            "How many {things} does {A} have now?",
        ),
        ranges={"a": (20, 80), "b": (3, 60), "c": (3, 60)},
        steps=(
            Step("left", "a", "-", "b", ("First", "Left", "After that"), ""),
            Step("now", "left", "+", "c", ("Now", "Then", "At the end"), ""),
        ),
    ),
    Family(
        name="fence",
        questions=(
            "A garden is {a} meters long and {b} meters wide. How many meters of fence go around?",
            "{A} walks once around a field {a} meters long and {b} meters wide. "
            "How many meters is that?",
        ),
        ranges={"a": (5, 60), "b": (3, 40)},
        steps=(
            Step("half", "a", "+", "b", ("Two sides", "Half way", "First"), "meters"),
            Step("around", "half", "*", "2", ("Around", "In all", "So"), "meters"),
        ),
    ),
    Family(
        name="older",
        questions=(
            "{A} is {a} years old. {B} is {b} years older, and {C} is {k} times as old as {B}. "
            "How old is {C}?",
            "{B} is {b} years older than {A}, who is {a}. {C} is {k} times as old as {B}. "
            "How old is {C}?",
        ),
        ranges={"a": (3, 20), "b": (2, 12), "k": (2, 3)},
        steps=(
            Step("older", "a", "+", "b", ("{B} is", "First {B} is", "So {B} is"), ""),
            Step("oldest", "older", "*", "k", ("{C} is", "Then {C} is", "So {C} is"), ""),
        ),
    ),
    Family(
        name="two_kinds",
        questions=(
            "{A} buys {a} {goods} for {p} dollars each and {b} {things} for {q} dollars each. "
            "How much does {A} pay?",
            "One of the {goods} costs {p} dollars, one of the {things} {q} dollars. "
            "What do {a} {goods} and {b} {things} cost?",
        ),
        ranges={"a": (2, 9), "p": (2, 9), "b": (2, 9), "q": (2, 9)},
        steps=(
            Step("one", "a", "*", "p", ("{goods}", "The {goods} cost", "First"), "dollars"),
            Step("two", "b", "*", "q", ("{things}", "The {things} cost", "Then"), "dollars"),
            Step("total", "one", "+", "two", ("Together", "In all", "So"), "dollars"),
        ),
    ),
    Family(
        name="baking",
        questions=(
            "{A} bakes {a} trays of {b} rolls, eats {e} and packs the rest into boxes of {k}. "
            "How many boxes are filled?",
            "From {a} trays with {b} rolls each, {e} rolls are eaten. "
            "The rest go into boxes of {k}. How many boxes is that?",
        ),
        ranges={"a": (2, 9), "b": (4, 9), "e": (2, 20), "k": (2, 6)},
        steps=(
            Step("all", "a", "*", "b", ("Baked", "First", "There are"), "rolls"),
            Step("rest", "all", "-", "e", ("Left", "Then", "Not eaten"), "rolls"),
            Step("boxes", "rest", "/", "k", ("Filled", "So", "That fills"), "boxes"),
        ),
    ),
    Family(
        name="saving",
        questions=(
            "{A} wants a bike for {g} dollars and has {h} dollars. {A} works {a} hours a week "
            "for {p} dollars an hour. How many weeks does it take?",
            "A bike costs {g} dollars. {A} has {h} and earns {p} dollars an hour, {a} hours "
            "a week. How many weeks must {A} work?",
        ),
        ranges={"g": (40, 150), "h": (5, 60), "a": (2, 5), "p": (2, 6)},
        steps=(
            Step("need", "g", "-", "h", ("Needed", "Missing", "First"), "dollars"),
            Step("week", "a", "*", "p", ("A week gives", "Per week", "Then"), "dollars"),
            Step("weeks", "need", "/", "week", ("It takes", "So", "That is"), "weeks"),
        ),
    ),
    Family(
        name="half_as_many",
        questions=(
            "{A} sold {a} {goods} in May, half as many in June and {b} in July. "
            "How many {goods} is that in all?",
            "A shop sells {a} {goods} on Monday, half as many on Tuesday and {b} on Friday. "
            "How many {goods} does it sell?",
        ),
        ranges={"a": (6, 80), "b": (3, 50)},
        steps=(
            Step("half", "a", "/", "2", ("Half is", "First", "The second time"), "{goods}"),
            Step("both", "a", "+", "half", ("Both", "Then", "So far"), "{goods}"),
            Step("total", "both", "+", "b", ("In all", "Together", "So"), "{goods}"),
        ),
    ),
    Family(
        name="shopping_trip",
        questions=(
            "{A} has {m} dollars and buys {a} {goods} for {p} dollars each and {b} {things} "
            "for {q} dollars each. How many dollars are left?",
            "{A} pays with {m} dollars for {a} {goods} at {p} dollars and {b} {things} at {q} "
            "dollars each. How much change is there?",
        ),
        ranges={"m": (40, 150), "a": (2, 9), "p": (2, 9), "b": (2, 9), "q": (2, 9)},
        steps=(
            Step("one", "a", "*", "p", ("{goods}", "First", "Cost"), ""),
            Step("two", "b", "*", "q", ("{things}", "Then", "And"), ""),
            Step("both", "one", "+", "two", ("Together", "In all", "Both"), ""),
            Step("left", "m", "-", "both", ("Left", "Change", "So"), ""),
        ),
    ),
    Family(
        name="three_friends",
        questions=(
            "{A} has {a} {things}. {B} has {b} more than {A}, and {C} has {k} times as many as "
            "{B}. How many {things} do the three have?",
            "{B} has {b} {things} more than {A}, who has {a}. {C} has {k} times as many as {B}. "
            "How many {things} are there in all?",
        ),
        ranges={"a": (2, 20), "b": (2, 12), "k": (2, 3)},
        steps=(
            Step("second", "a", "+", "b", ("{B} has", "First", "So {B} has"), ""),
            Step("third", "second", "*", "k", ("{C} has", "Then", "So {C} has"), ""),
            Step("both", "second", "+", "third", ("{B} and {C}", "Both", "They have"), ""),
            Step("total", "both", "+", "a", ("In all", "Together", "All three"), ""),
        ),
    ),
)
