"""Addresses of endpoints: what is accepted, what is refused, what is shown."""

from __future__ import annotations

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.probe.address import (
    check_key,
    check_url,
    full_address,
    is_aws,
    secrets_of,
    shown_address,
)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://host/v1", "host/v1", "https://", "", "http://[::1", "http://h:x"],
)
def test_only_a_web_address_is_accepted(url) -> None:
    with pytest.raises(RecipeError, match="no web address"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hidden@host/v1",
        "https://hidden@host/v1",
        "ftp://u:hidden@host/v1",
        "u:hidden@host",
        "http://u:hid/den@host/v1",
        "ftp://host/v1?key=hidden",
        "host?hidden",
    ],
)
def test_a_password_is_refused_and_not_repeated(url) -> None:
    with pytest.raises(RecipeError) as caught:
        check_url(url)
    assert "hid" not in str(caught.value)


def test_a_fragment_is_refused() -> None:
    with pytest.raises(RecipeError, match="never sent"):
        check_url("https://host/v1#chat")


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1?api-version=1", "http://h/v1/chat/completions?api-version=1"),
        ("http://h/v1/chat/completions?a=1&b=/2", "http://h/v1/chat/completions?a=1&b=/2"),
        ("http://h", "http://h/chat/completions"),
    ],
)
def test_the_path_is_completed_before_the_query(url, full) -> None:
    check_url(url)
    assert full_address(url) == full


def test_the_values_of_a_query_are_masked() -> None:
    shown = shown_address("http://h/v1?api-version=1&code=abc&bare-secret")
    assert shown == "http://h/v1/chat/completions?api-version=***&code=***&***"


def test_secrets_are_the_key_and_long_values_as_written_and_as_meant() -> None:
    found = secrets_of("http://h/v1?v=1&code=long%2Fsecret&bare-token", "sk-key")
    assert found == ["long%2Fsecret", "long/secret", "bare-token", "sk-key"]


@pytest.mark.parametrize(
    ("url", "aws"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1", True),
        ("https://bedrock-mantle.us-west-2.api.aws/v1", True),
        ("http://localhost:4599/v1", False),
        ("https://api.openai.com/v1", False),
        ("https://bedrock.example.com/v1", False),
    ],
)
def test_bedrock_is_known_by_its_hosts(url, aws) -> None:
    assert is_aws(url) is aws


@pytest.mark.parametrize(
    "key", ["sk-live-0123\nX: y", "sk-live-0123\x00", "sk-live-0123€", "sk live 0123", "k" * 5000]
)
def test_a_key_that_no_header_carries_is_refused_without_a_word_of_it(key: str) -> None:
    with pytest.raises(RecipeError, match="the key can't be sent") as refused:
        check_key(key, "OPENAI_API_KEY")
    assert key[:8] not in str(refused.value)
    assert "OPENAI_API_KEY" in str(refused.value)


def test_a_key_of_bedrocks_length_can_be_sent() -> None:
    check_key("bedrock-api-key-" + "A" * 1500, "OPENAI_API_KEY")
