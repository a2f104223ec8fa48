"""Names and things the word problems are told with; data only."""

from __future__ import annotations

NAMES = (
    *("Ann", "Ben", "Carl", "Dina", "Emma", "Fred", "Gina", "Hugo", "Ivan", "Jane"),
    *("Kim", "Leo", "Mia", "Nick", "Olga", "Paul", "Rosa", "Sam", "Tina", "Umar"),
    *("Vera", "Will", "Yuki", "Zoe"),
)

THINGS = (
    *("apples", "books", "cards", "coins", "eggs", "flowers", "marbles", "pens"),
    *("plums", "shells", "stamps", "stickers"),
)
"""What is owned, given, packed and shared."""

GOODS = ("cakes", "caps", "cups", "hats", "kites", "mugs", "pies", "plants", "toys", "vases")
"""What is bought and sold."""
