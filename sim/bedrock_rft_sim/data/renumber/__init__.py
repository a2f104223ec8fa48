"""Give a word problem new numbers and compute its answer again along its calculator marks.

A renumbering is a map from old numbers to new ones: every 48 of the problem becomes the same new
number wherever it stands, and every result is computed from the new numbers. Whatever a 48 of the
solution meant, it is then replaced by the right one, or there is no such map and no new problem.

The map also keeps what the words of a problem may rest on:
whole stays whole, a division stays exact, above 0, 1 and 2 stays above; what was less stays less,
so that "more than 8 hours", the cheaper offer and the slower runner stay what they were; numbers
in words, fractions, dates, ordinals and what the world fixes (7 days) do not change.

`scheme_of` says what may change, `draw` draws, the `rewrite_` functions write the texts, and
`refusal` is a second opinion that knows nothing of the map. Not here: looking into records.
"""

from __future__ import annotations
