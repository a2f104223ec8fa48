"""Names and things that may stand for one another; data only, made for this project.

No name is also a word, a month, a place or a virtue; no thing is also a colour, a verb or part of a
dish. Each thing starts with a consonant, so that "a" stays right.
"""

from __future__ import annotations

WOMEN = (
    *("Alice", "Amanda", "Andrea", "Angela", "Anita", "Anna", "Barbara", "Beatrice", "Brenda"),
    *("Carla", "Caroline", "Cecilia", "Christina", "Cindy", "Claire", "Clara", "Cynthia", "Diana"),
    *("Donna", "Dorothy", "Elena", "Elizabeth", "Ella", "Emily", "Emma", "Erica", "Fiona", "Gina"),
    *("Hannah", "Helen", "Isabella", "Jane", "Janet", "Jennifer", "Jessica", "Julia", "Julie"),
    *("Karen", "Katherine", "Kelly", "Laura", "Lena", "Linda", "Lisa", "Lucy", "Maria", "Martha"),
    *("Megan", "Melissa", "Monica", "Nancy", "Natalie", "Nicole", "Nina", "Olivia", "Pamela"),
    *("Patricia", "Rachel", "Rebecca", "Samantha", "Sandra", "Sarah", "Sonia", "Sophia", "Stella"),
    *("Susan", "Tanya", "Teresa", "Tina", "Valerie", "Vanessa", "Wendy", "Yolanda", "Zoe"),
)
MEN = (
    *("Aaron", "Adam", "Alan", "Albert", "Alexander", "Andrew", "Anthony", "Arnold", "Arthur"),
    *("Benjamin", "Bernard", "Boris", "Brandon", "Brian", "Bruce", "Carlos", "Charles", "Daniel"),
    *("David", "Dennis", "Derek", "Donald", "Edward", "Eric", "Ethan", "Felix", "Fernando", "Fred"),
    *("George", "Gerald", "Gregory", "Harold", "Henry", "Hugo", "Ivan", "Jacob", "Jason", "Jeremy"),
    *("Joel", "John", "Jonathan", "Joseph", "Joshua", "Juan", "Julian", "Keith", "Kenneth"),
    "Kevin",
    *("Larry", "Leonard", "Liam", "Louis", "Lucas", "Marcus", "Martin", "Matthew", "Michael"),
    *("Nathan", "Nicholas", "Noah", "Oliver", "Oscar", "Patrick", "Paul", "Peter", "Philip"),
    *("Ralph", "Raymond", "Robert", "Roger", "Ronald", "Samuel", "Scott", "Simon", "Stephen"),
    *("Steven", "Thomas", "Timothy", "Vincent", "Walter", "William", "Zachary"),
)

THINGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        *(("marble", "marbles"), ("sticker", "stickers"), ("seashell", "seashells")),
        *(("bead", "beads"), ("keychain", "keychains"), ("postcard", "postcards")),
    ),
    (
        *(("pencil", "pencils"), ("notebook", "notebooks"), ("crayon", "crayons")),
        *(("folder", "folders"), ("marker", "markers")),
    ),
    (("pear", "pears"), ("mango", "mangoes"), ("banana", "bananas"), ("melon", "melons")),
    (("cookie", "cookies"), ("muffin", "muffins"), ("cupcake", "cupcakes"), ("donut", "donuts")),
    (("rose", "roses"), ("tulip", "tulips"), ("daffodil", "daffodils"), ("lily", "lilies")),
)
"""Classes of things, singular and plural: one may take the other's place in a problem."""

BESIDE_THINGS = frozenset(
    (
        *("and", "or", "in", "to", "for", "from", "each", "per", "that", "which", "are"),
        *("were", "is", "was", "on", "at", "than", "as", "left", "he", "she", "they", "if"),
        *("with", "by", "of", "will", "would", "does", "do", "did", "can", "has", "have"),
        *("had", "after", "before", "when", "because", "so", "altogether", "total", "more"),
        *("every", "but", "into", "among", "between", "who", "during", "today", "yesterday"),
        *("now", "away", "remaining"),
    )
)
"""Words that may follow a thing without making one name of the two ("pear tree" is no pear)."""
