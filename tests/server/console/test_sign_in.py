"""The console where a token is demanded: signing in, and what the cookie opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bedrock_rft_sim.server.console import endpoints
from tests.report.test_browser import Reader
from tests.report.test_browser import browser as browser  # a fixture
from tests.server.conftest import Endpoint
from tests.server.console.test_requests import post, send

TOKEN = "the-token"


@pytest.fixture
def locked(serve_root: Callable[..., Endpoint]) -> Endpoint:
    return serve_root(token=TOKEN)


def signed_in(endpoint: Endpoint) -> str:
    """Sign in as the page does; return the cookie as a browser shows it."""
    own = {"origin": endpoint.url, "x_rft_console": "1"}
    body = json.dumps({"token": TOKEN}).encode()
    status, headers, _ = send(endpoint, "/console/sign-in", method="POST", body=body, **own)
    assert status == 200
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert attributes == ["Path=/console", "HttpOnly", "SameSite=Strict"]
    assert TOKEN not in cookie
    return cookie


def test_without_the_token_only_the_sign_in_page_is_served(locked: Endpoint) -> None:
    status, headers, content = send(locked, "/console")
    assert (status, b"Sign in" in content) == (200, True)
    assert "default-src 'none'; script-src 'nonce-" in headers["content-security-policy"]
    for path in ("/console/jobs", "/console/console.js", "/console/plotly.js", "/console/other"):
        assert send(locked, path)[0] == 403


def test_the_cookie_opens_the_console_and_nothing_else(locked: Endpoint) -> None:
    cookie = signed_in(locked)
    assert b"No job yet" in send(locked, "/console", cookie=cookie)[2]
    assert json.loads(send(locked, "/console/jobs", cookie=cookie)[2]) == {"jobs": []}
    for path in ("/", "/v1/models", "/foundation-models", "/%63onsole", "/model/x/invoke"):
        assert send(locked, path, cookie=cookie)[0] in (401, 403)


@pytest.mark.parametrize("service", ["s3", "iam", "lambda", "kms"])
def test_a_bucket_that_is_called_console_is_no_way_in(locked: Endpoint, service: str) -> None:
    locked.client("s3", key=TOKEN).create_bucket(Bucket="console")
    scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, "
    for cookie in ("", signed_in(locked)):
        headers = {"cookie": cookie, "authorization": scope}
        for method, path in (("GET", "/console"), ("POST", "/console/sign-in")):
            assert send(locked, path, method=method, **headers)[0] == 403


@pytest.mark.parametrize("cookie", ["", "x", "rft-console-{port}=", "rft-console-{port}=the-token"])
def test_another_cookie_opens_nothing(locked: Endpoint, cookie: str) -> None:
    shown = cookie.format(port=locked.url.rpartition(":")[2])
    assert send(locked, "/console/jobs", cookie=shown)[0] == 403


def test_a_restart_ends_every_session(serve_root: Callable[..., Any], locked: Endpoint) -> None:
    cookie = signed_in(locked).partition("=")[2]
    other = serve_root(locked.state.root.with_name("another"), token=TOKEN)
    name = f"rft-console-{other.url.rpartition(':')[2]}"
    assert send(other, "/console/jobs", cookie=f"{name}={cookie}")[0] == 403


def test_a_wrong_token_is_refused_and_only_the_page_itself_may_sign_in(
    locked: Endpoint, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "GUESS_S", 0.01)
    for wrong in ("other", "", None, 1, "\u00fc"):
        status, (said,) = post(locked, "/console/sign-in", {"token": wrong})
        assert (status, said["error"]) == (403, "this is not the endpoint's token")
    status, _ = post(locked, "/console/sign-in", {"token": TOKEN}, origin="http://localhost:1")
    assert status == 403
    assert TOKEN not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_person_signs_in_with_the_token(browser: Any, locked: Endpoint) -> None:
    reader = Reader(browser)
    browser.get("about:blank")
    browser.get(f"{locked.url}/console")
    reader.until(lambda: browser.title.startswith("Sign in"))
    browser.find_element("id", "token").send_keys("wrong\n")
    reader.until(lambda: "not the endpoint's token" in reader.text("#said"))
    browser.find_element("id", "token").send_keys(f"{TOKEN}\n")
    reader.until(lambda: reader.text("#none h3") == "No job yet")
    assert reader.script("return document.cookie") == ""
    # The refused first try is the browser's only complaint.
    (complaint,) = reader.complaints()
    assert "403" in complaint


@pytest.mark.slow
def test_a_link_with_the_token_signs_in_and_does_not_keep_it(
    browser: Any, locked: Endpoint
) -> None:
    reader = Reader(browser)
    for _ in range(2):  # the second time the cookie is there already
        browser.get("about:blank")
        browser.get(f"{locked.url}/console#token={TOKEN}")
        reader.until(lambda: reader.text("#none h3") == "No job yet")
        assert TOKEN not in browser.current_url
    assert reader.complaints() == []
