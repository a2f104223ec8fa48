"""How a sweep says how far it is."""

from __future__ import annotations

from bedrock_rft_sim.sweep.schedule import Pace


def test_work_that_remains_is_never_said_to_take_no_time() -> None:
    said: list[str] = []
    pace = Pace(3, 2, said.append)
    pace.reused("point 1")
    pace.made("point 2", 0.01)
    pace.made("point 3", 0.01)
    assert [line.partition(", about ")[2] for line in said] == ["", "1 s left", ""]
