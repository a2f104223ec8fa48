"""Files through the OpenAI SDK."""

from __future__ import annotations

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI

from bedrock_rft_sim.server.state import ServerState

LINES = b'{"a": 1}\n{"a": 2}\n'


def test_a_file_is_kept_found_listed_read_and_deleted(client: OpenAI) -> None:
    file = client.files.create(file=("train.jsonl", LINES), purpose="fine-tune")
    assert (file.object, file.bytes, file.filename) == ("file", len(LINES), "train.jsonl")
    assert (file.purpose, file.status) == ("fine-tune", "processed")
    assert client.files.retrieve(file.id) == file
    assert client.files.list(purpose="fine-tune").data[0] == file
    assert client.files.content(file.id).read() == LINES
    assert client.files.delete(file.id).deleted
    with pytest.raises(NotFoundError, match="No such File object"):
        client.files.retrieve(file.id)
    assert file.id not in [each.id for each in client.files.list()]


def test_the_list_comes_in_pages_newest_first(client: OpenAI) -> None:
    made = [
        client.files.create(file=(f"{n}.jsonl", LINES), purpose="fine-tune").id for n in range(3)
    ]
    first = client.files.list(limit=2)
    assert [file.id for file in first.data] == [made[2], made[1]]
    assert first.has_more
    assert made[0] in [file.id for file in client.files.list(limit=2)]  # the SDK turns the pages
    for each in made:
        client.files.delete(each)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"not json\n", "line 1"),
        (b'{"a": 1}\n[2]\n', "line 2"),
        (b'{"a": NaN}\n', "line 1"),
        (b"\xff\xfe\n", "line 1"),
    ],
)
def test_what_is_no_jsonl_is_refused_with_its_line(
    client: OpenAI, content: bytes, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message) as caught:
        client.files.create(file=("train.jsonl", content), purpose="fine-tune")
    assert (caught.value.param, caught.value.code) == ("file", "invalid_jsonl")


def test_only_the_documented_purpose_is_taken(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="Bedrock documents only 'fine-tune'"):
        client.files.create(file=("train.jsonl", LINES), purpose="batch")


def test_an_expiry_is_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.files.create(
            file=("train.jsonl", LINES),
            purpose="fine-tune",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
    assert caught.value.code == "unsupported_parameter"


@pytest.mark.parametrize("file_id", ["..%2f..%2fjobs.sqlite", "%2e%2e", "x" * 500, "file-abc123"])
def test_an_id_never_becomes_a_path(client: OpenAI, file_id: str) -> None:
    with pytest.raises(NotFoundError):
        client.get(f"/files/{file_id}/content", cast_to=object)


def test_a_name_with_a_path_in_it_stays_a_name(client: OpenAI, mantle_state: ServerState) -> None:
    file = client.files.create(file=("../../evil.jsonl", LINES), purpose="fine-tune")
    kept = list((mantle_state.root / "files" / file.id).iterdir())
    assert sorted(path.name for path in kept) == ["content.jsonl", "meta.json"]
    client.files.delete(file.id)


def test_a_half_written_upload_is_in_no_list(client: OpenAI, mantle_state: ServerState) -> None:
    before = len(client.files.list().data)
    torn = mantle_state.root / "files" / "00000000-0000-4000-8000-000000000000"
    torn.mkdir(parents=True)
    (torn / "content.jsonl").write_bytes(b'{"a": ')
    assert len(client.files.list().data) == before
    with pytest.raises(NotFoundError):
        client.files.retrieve(torn.name)


def test_a_form_that_is_none_is_refused_in_openai_form(client: OpenAI) -> None:
    with pytest.raises(APIStatusError) as caught:
        client.post("/files", cast_to=object, body={"purpose": "fine-tune"})
    assert caught.value.status_code == 400
