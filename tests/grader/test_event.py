from __future__ import annotations

import json
from typing import get_args

import pytest

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.contract.payload_profiles import PROFILES, PayloadProfile
from bedrock_rft_sim.errors import EventError
from bedrock_rft_sim.grader.event import build_event, encode_event, split
from bedrock_rft_sim.grader.samples import Sample

TURNS = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "#### 72"}]


def sample(reference="72", **extra):
    return Sample("s1", TURNS, reference, extra)


def test_the_type_names_the_profiles_of_the_table():
    assert get_args(PayloadProfile) == PROFILES


def test_metadata_holds_the_reference_and_every_other_key():
    (entry,) = build_event([sample(task="sums")], profile="metadata")
    assert entry == {
        "id": "s1",
        "messages": TURNS,
        "metadata": {"task": "sums", "reference_answer": "72"},
    }


def test_root_puts_the_same_keys_beside_the_messages():
    (entry,) = build_event([sample(task="sums")], profile="root")
    assert entry == {"id": "s1", "messages": TURNS, "task": "sums", "reference_answer": "72"}


def test_both_is_the_default_and_the_union():
    (entry,) = build_event([sample(task="sums")])
    assert entry == {
        "id": "s1",
        "messages": TURNS,
        "task": "sums",
        "reference_answer": "72",
        "metadata": {"task": "sums", "reference_answer": "72"},
    }


def test_a_string_reference_is_wrapped_on_request_and_an_object_never():
    (wrapped,) = build_event([sample("72")], profile="root", wrap_string_as_text=True)
    (kept,) = build_event([sample({"answer": "72"})], profile="root", wrap_string_as_text=True)
    assert wrapped["reference_answer"] == {"text": "72"}
    assert kept["reference_answer"] == {"answer": "72"}


def test_a_sample_without_reference_sends_none():
    (entry,) = build_event([sample(None)])
    assert "reference_answer" not in entry
    assert "reference_answer" not in entry["metadata"]


def test_keys_of_the_record_never_replace_id_and_messages():
    (entry,) = build_event([sample(id="other", messages=[])], profile="root")
    assert (entry["id"], entry["messages"]) == ("s1", TURNS)


def test_an_unknown_profile_is_named():
    with pytest.raises(EventError, match=r"no such payload profile") as caught:
        build_event([sample()], profile="body")
    assert caught.value.expected == "metadata or root or both"


def test_two_samples_with_one_id_are_refused():
    with pytest.raises(EventError, match="share an id"):
        build_event([sample(), sample()])


def test_an_event_of_exactly_6_mb_passes_and_one_byte_more_does_not():
    frame = len(encode_event([{"id": "s1", "text": ""}]))
    fits = [{"id": "s1", "text": "x" * (LAMBDA_PAYLOAD_BYTES - frame)}]
    assert len(encode_event(fits)) == LAMBDA_PAYLOAD_BYTES
    fits[0]["text"] += "x"
    with pytest.raises(EventError, match="larger than Lambda accepts") as caught:
        encode_event(fits)
    assert caught.value.expected == "at most 6,291,456 bytes"
    assert caught.value.found == "6,291,457 bytes"
    assert "batchSize" in caught.value.hint


def test_any_text_survives_the_journey():
    texts = ["naïve – 7", "\U0001f600", "\ud800", "\u2028", '"quoted"\\', "a\x00b"]
    event = build_event([sample({"answer": text}) for text in texts[:1]])
    assert json.loads(encode_event(event)) == event
    for text in texts:
        assert json.loads(encode_event([{"id": text}])) == [{"id": text}]


def test_what_json_can_not_hold_is_an_error_of_the_event():
    with pytest.raises(EventError, match="can't be written as JSON"):
        encode_event([{"id": "s1", "weight": float("nan")}])


def test_samples_are_split_in_order_into_events_of_a_given_size():
    parts = [list(part) for part in split([*range(7)], 3)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(split([], 3)) == []
