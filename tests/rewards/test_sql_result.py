from __future__ import annotations

import json

import pytest

from rewards import sql_result

SETUP = [
    "CREATE TABLE pets (name TEXT, kind TEXT, weight REAL)",
    "INSERT INTO pets VALUES ('Mia', 'cat', 4.2), ('Rex', 'dog', 20), ('Tom', 'cat', 3)",
]
CATS = {"setup": SETUP, "query": "SELECT name FROM pets WHERE kind = 'cat'"}


@pytest.fixture
def grade(graded):
    def run(answer, reference=CATS, **options):
        return graded(sql_result, answer, reference, **options)

    return run


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("SELECT name FROM pets WHERE kind = 'cat'", 1.0),
        ("select NAME as n from Pets where kind like 'c%' order by 1 desc;", 1.0),
        ("```sql\nSELECT name FROM pets WHERE kind <> 'dog'\n```", 1.0),
        ("```\nSELECT 1\n```\nNo:\n```SQL\nSELECT name FROM pets WHERE weight < 5\n```", 1.0),
        ("WITH c AS (SELECT * FROM pets WHERE kind = 'cat') SELECT name FROM c -- all", 1.0),
        ("SELECT name FROM pets", 0.0),
        ("SELECT name FROM pets WHERE kind = 'cat' LIMIT 1", 0.0),
        ("SELECT name, kind FROM pets WHERE kind = 'cat'", 0.0),
        ("SELECT name FROM pets WHERE kind = 'cat' UNION ALL SELECT 'Mia'", 0.0),
        ("SELECT upper(name) FROM pets WHERE kind = 'cat'", 0.0),
        ("VALUES ('Mia'), ('Tom')", 0.0),  # made up
        ("SELECT 'Mia' FROM sqlite_master UNION SELECT 'Tom'", 0.0),  # made up, too
        ("SELECT name FROM cats", 0.0),
        ("```python\nSELECT name FROM pets WHERE kind = 'cat'\n```", 0.0),
        ("The query is SELECT name FROM pets WHERE kind = 'cat'", 0.0),
        ("SELECT name FROM pets WHERE kind = 'cat'; SELECT 1", 0.0),
        ("Mia, Tom", 0.0),
    ],
)
def test_the_rows_decide_and_not_the_words_of_the_query(grade, answer, score):
    assert grade(answer)[0] == score


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT name FROM pets ORDER BY weight", True),
        ("SELECT name FROM pets\norder  by weight", True),
        ("SELECT * FROM (SELECT name FROM pets ORDER BY weight)", False),
        ("SELECT name, rank() OVER (ORDER BY weight) FROM pets", False),
        ("SELECT name FROM pets WHERE kind <> 'order by'", False),
        ("SELECT name FROM pets -- order by weight", False),
        ("SELECT name FROM pets WHERE weight IN (SELECT max(weight) FROM pets) ORDER BY 1", True),
    ],
)
def test_order_matters_where_the_outermost_query_of_the_reference_has_one(grade, query, ordered):
    assert sql_result.has_order(query) is ordered
    reversed_rows = f"SELECT * FROM ({query}\n) ORDER BY 1 DESC"
    first, last = (grade(each, {"setup": SETUP, "query": query}) for each in (query, reversed_rows))
    assert first[0] == 1.0
    if not ordered:
        assert last[0] == 1.0


def test_order_can_be_asked_for_or_not(grade):
    by_name = "SELECT name FROM pets ORDER BY name"
    down = "SELECT name FROM pets ORDER BY name DESC"
    assert grade(down, {"setup": SETUP, "query": by_name})[0] == 0.0
    assert grade(down, {"setup": SETUP, "query": by_name, "ordered": False})[0] == 1.0
    rows = ["Mia", "Rex", "Tom"]
    assert grade(down, {"setup": SETUP, "rows": rows})[0] == 1.0
    assert grade(down, {"setup": SETUP, "rows": rows, "ordered": True})[0] == 0.0
    assert grade(by_name, {"setup": SETUP, "rows": rows, "ordered": True})[0] == 1.0


@pytest.mark.parametrize(
    "reference",
    [
        CATS,
        {**CATS, "setup": ";\n".join(SETUP)},
        json.dumps(CATS),
        {"text": json.dumps(CATS)},
        {"setup": SETUP, "rows": [["Tom"], ["Mia"]]},
        {"setup": SETUP, "rows": ["Tom", "Mia"]},
    ],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    right, wrong = "SELECT name FROM pets WHERE kind = 'cat'", "SELECT name FROM pets"
    for profile in ("metadata", "root", "both"):
        assert grade(right, reference, profile=profile)[0] == 1.0, profile
        assert grade(wrong, reference, profile=profile)[0] == 0.0, profile


@pytest.mark.parametrize("reference", [CATS["query"], {"query": CATS["query"]}, '["Mia", "Tom"]'])
def test_the_setup_may_stand_beside_the_reference(grade, reference):
    assert grade(CATS["query"], reference, setup=SETUP)[0] == 1.0
    assert (
        grade("SELECT name FROM pets", reference, setup="\n".join(f"{s};" for s in SETUP))[0] == 0
    )


@pytest.mark.parametrize(
    ("answer", "rows", "score"),
    [
        ("SELECT 1 FROM pets LIMIT 1", [[1.0]], 1.0),
        ("SELECT '1' FROM pets LIMIT 1", [[1]], 0.0),
        ("SELECT 0.1 + 0.2 FROM pets LIMIT 1", [[0.3]], 1.0),
        ("SELECT sum(weight) / 3 FROM pets", [[9.06666666667]], 1.0),
        ("SELECT sum(weight) / 3 FROM pets", [[9.07]], 0.0),
        ("SELECT NULL FROM pets LIMIT 1", [[None]], 1.0),
        ("SELECT '' FROM pets LIMIT 1", [[None]], 0.0),
        ("SELECT 'mia' FROM pets LIMIT 1", ["Mia"], 0.0),
        ("SELECT kind FROM pets", ["cat", "dog", "cat"], 1.0),
        ("SELECT DISTINCT kind FROM pets", ["cat", "dog", "cat"], 0.0),
    ],
)
def test_values_are_compared_as_values(grade, answer, rows, score):
    assert grade(answer, {"setup": SETUP, "rows": rows})[0] == score


def test_components_tell_an_error_from_a_wrong_result(grade):
    assert grade(CATS["query"])[1] == {"rows_equal": 1.0, "rows_matched": 1.0, "query_ran": 1.0}
    _, parts = grade("SELECT name FROM pets")
    assert parts == {"rows_equal": 0.0, "rows_matched": pytest.approx(2 / 3), "query_ran": 1.0}
    for broken in ("SELECT", "SELECT nothing FROM pets", ""):
        parts = grade(broken)[1]
        assert parts == {"rows_equal": 0.0, "rows_matched": 0.0, "query_ran": 0.0}


@pytest.mark.parametrize(
    "answer",
    [
        "INSERT INTO pets VALUES ('Mia', 'cat', 1) RETURNING name",
        "DELETE FROM pets",
        "DROP TABLE pets",
        "CREATE TABLE other AS SELECT * FROM pets",
        "ATTACH 'stolen.db' AS stolen",
        "VACUUM INTO 'stolen.db'",
        "PRAGMA table_info(pets)",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('x')",
        "SELECT name, random() FROM pets",
        "SELECT hex(zeroblob(10000000)) FROM pets",
        "SELECT name FROM pets WHERE name LIKE '" + "%a" * 200 + "'",
        "\ud800",
        "SELECT '\x00'",
    ],
)
def test_a_query_reads_tables_and_does_nothing_else(grade, answer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert grade(answer)[1]["query_ran"] == 0.0
    assert list(tmp_path.iterdir()) == []
    assert grade(CATS["query"])[0] == 1.0  # nothing is left behind


ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "


@pytest.mark.parametrize(
    "answer",
    [
        ENDLESS + "SELECT count(*) FROM r",
        ENDLESS + "SELECT n FROM r ORDER BY n",
        ENDLESS + "SELECT zeroblob(900000) AS z FROM r ORDER BY z",
        "SELECT count(*) FROM pets, pets a, pets b, pets c" + ", pets" * 25,
    ],
    ids=["count", "sort", "memory", "product"],
)
def test_a_query_that_does_not_end_is_stopped(grade, answer, monkeypatch):
    monkeypatch.setenv("SQL_RESULT_SECONDS", "0.3")
    assert grade(answer)[1]["query_ran"] == 0.0


def test_rows_and_characters_are_limited(grade, monkeypatch):
    many = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT {}) "
    assert grade(many.format(1000) + "SELECT n FROM r")[1]["query_ran"] == 1.0
    assert grade(many.format(1001) + "SELECT n FROM r")[1]["query_ran"] == 0.0
    long = many.format(20) + "SELECT hex(zeroblob(50000)) FROM r"
    assert grade(long)[1]["query_ran"] == 0.0
    monkeypatch.setenv("SQL_RESULT_ROWS", "2")
    assert grade("SELECT name FROM pets")[1]["query_ran"] == 0.0


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"setup": SETUP, "query": "SELECT name FROM cats"}, "no such table: cats"),
        ({"setup": ["CREATE TABLE"], "query": "SELECT 1"}, "unreadable reference"),
        ({"setup": [1], "query": "SELECT 1"}, "setup is no text and no list of texts"),
        ({"setup": SETUP, "rows": [[{"a": 1}]]}, "something else than values"),
        ({"setup": SETUP, "query": "SELECT name FROM pets WHERE 0"}, "a query that returns rows"),
        ({"setup": SETUP}, "a query that returns rows, or rows"),
        ({"setup": SETUP, "query": "DELETE FROM pets"}, "not authorized"),
        ("no SQL at all", "syntax error"),
    ],
)
def test_a_reference_that_can_not_be_worked_out_raises_and_says_why(grade, reference, message):
    with pytest.raises(ValueError, match="sample 's1': unreadable reference") as caught:
        grade("SELECT 1", reference)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("SQL_RESULT_SECONDS", "0"), ("SQL_RESULT_ROWS", "many")]
)
def test_an_impossible_setting_is_an_error(grade, name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}', expected a number above 0"):
        grade("SELECT 1")
