"""Frames of the event stream, read back by botocore."""

from __future__ import annotations

import json

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.server.runtime.eventstream import event, exception, frame

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60)


@given(
    frames=st.lists(
        st.tuples(st.dictionaries(NAMES, st.text(max_size=60)), st.binary()), max_size=4
    ),
    size=st.integers(1, 50),
)
def test_botocore_reads_what_was_written_however_it_arrives(
    frames: list[tuple[dict[str, str], bytes]], size: int
) -> None:
    data = b"".join(frame(headers, payload) for headers, payload in frames)
    buffer = EventStreamBuffer()
    read = []
    for start in range(0, len(data), size):
        buffer.add_data(data[start : start + size])
        read += [(dict(message.headers), message.payload) for message in buffer]
    assert read == frames


def test_events_and_exceptions_carry_their_names() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(event("messageStart", {"role": "assistant"}) + exception("x", "no"))
    first, second = list(buffer)
    assert first.headers[":event-type"] == "messageStart"
    assert json.loads(first.payload) == {"role": "assistant"}
    assert (second.headers[":message-type"], second.headers[":exception-type"]) == (
        "exception",
        "x",
    )
    assert json.loads(second.payload) == {"message": "no"}
