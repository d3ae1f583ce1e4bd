"""Who may ask, from where, and what a browser may do with the answer."""

import re

import pytest
from starlette.testclient import TestClient

from kg.web.app import make_app
from kg.web.guard import Guard
from kg.web.site import Site
from tests.web.conftest import HOST, TOKEN, csrf_of

ORIGIN = f"http://{HOST}"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
PLACES = ("/", "/static/style.css", "/no-such-page", "/search", "/browse", "/cypher")


def test_the_token_becomes_a_cookie_that_no_script_reads_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get("/browse?relation=xWant&token=" + TOKEN + "&split=test")
    assert (answer.status_code, answer.headers["location"]) == (303, "/browse?relation=xWant&split=test")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example/a"])
def test_the_redirect_never_leads_to_another_host(path: str, stranger: TestClient) -> None:
    answer = stranger.request("GET", f"{ORIGIN}{path}?token={TOKEN}")
    assert re.match(r"/(?![/\\])", answer.headers["location"])


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "\u00e9", "%00"])
def test_a_wrong_token_is_refused(token: str, stranger: TestClient) -> None:
    answer = stranger.get("/", params={"token": token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert stranger.get("/").status_code == 403


@pytest.mark.parametrize("path", PLACES)
def test_without_a_session_everything_is_refused(path: str, stranger: TestClient) -> None:
    assert stranger.get(path).status_code == 403
    stranger.cookies.set("kg", "made-up")
    assert stranger.get(path).status_code == 403
    assert stranger.post(path, headers={"origin": ORIGIN}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8137", "127.0.0.1", "127.0.0.1:9999", "", f"{HOST}.evil.example"]
)
def test_a_wrong_host_is_refused_even_with_a_session(host: str, owner: TestClient) -> None:
    for path in PLACES:
        answer = owner.get(path, headers={"host": host})
        assert answer.status_code == 403
    assert owner.get("/", params={"token": TOKEN}, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("headers", [
    {}, {"origin": "null"}, {"origin": "http://evil.example"}, {"origin": "https://127.0.0.1:8137"},
    {"origin": "http://127.0.0.1"}, {"origin": f"{ORIGIN}.evil.example"},
    {"origin": "null", "sec-fetch-site": "cross-site"}, {"origin": "null", "sec-fetch-site": "same-site"},
    {"origin": "http://evil.example", "sec-fetch-site": "same-origin"},
])  # fmt: skip
def test_a_form_from_elsewhere_is_refused(headers: dict[str, str], owner: TestClient) -> None:
    answer = owner.post("/tradeoff/use", data={"csrf": csrf_of(owner), "recall": "0.5"}, headers=headers)
    assert answer.status_code == 403


def test_a_form_without_the_sessions_own_token_is_refused(app: Guard, owner: TestClient) -> None:
    other = TestClient(app, base_url=ORIGIN)
    other.get("/", params={"token": TOKEN})
    for csrf in (None, "", "0" * 64, csrf_of(other)):
        data = {"recall": "0.5"} | ({} if csrf is None else {"csrf": csrf})
        assert owner.post("/tradeoff/use", data=data, headers={"origin": ORIGIN}).status_code == 403
    as_json = owner.post("/tradeoff/use", json={"csrf": csrf_of(owner)}, headers={"origin": ORIGIN})
    assert as_json.status_code == 403


@pytest.mark.parametrize("origin", [{"origin": ORIGIN}, {"origin": "null", "sec-fetch-site": "same-origin"}])
def test_a_form_from_one_of_our_pages_passes(origin: dict[str, str], owner: TestClient) -> None:
    answer = owner.post("/no-such-page", data={"csrf": csrf_of(owner)}, headers=origin)
    assert answer.status_code == 404
    answer = owner.post("/no-such-page", json={}, headers={**origin, "x-csrf-token": csrf_of(owner)})
    assert answer.status_code == 404


def test_a_form_is_bounded(owner: TestClient) -> None:
    answer = owner.post("/cypher", data={"csrf": csrf_of(owner), "x": "x" * 2_000_000}, headers={"origin": ORIGIN})
    assert (answer.status_code, "too long" in answer.text) == (403, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_do_nothing_without_origin_and_token(method: str, owner: TestClient) -> None:
    assert owner.request(method, "/").status_code == 403


@pytest.mark.parametrize("path", [*PLACES, "/phrase/0", "/browse?score_from=x", "/tradeoff", "/models"])
def test_every_answer_has_the_headers(path: str, owner: TestClient, stranger: TestClient) -> None:
    answers = [owner.get(path), stranger.get(path), owner.get(path, headers={"host": "evil.example"}), owner.post(path)]
    assert {answer.status_code for answer in answers} > {403}
    for answer in answers:
        assert answer.headers.items() >= HEADERS.items()
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy.pop("default-src") == policy.pop("frame-ancestors") == policy.pop("base-uri") == "'none'"
        assert set(policy.values()) == {"'self'"}
        assert "server" not in answer.headers


def test_an_annotator_sees_no_page_of_the_owner(stranger: TestClient) -> None:
    assert stranger.get("/", params={"token": "anna-token"}).status_code == 303
    for path in ("/", "/browse", "/cypher", "/tradeoff", "/models", "/search"):
        assert stranger.get(path).status_code == 403
    assert stranger.get("/static/style.css").status_code == 200
    assert stranger.get("/judge").status_code == 200


def test_a_withdrawn_token_ends_its_sessions(site: Site) -> None:
    known = {"anna-token": "anna"}
    client = TestClient(
        make_app(site, hosts={HOST}, who=known.get),
        base_url=ORIGIN,
        follow_redirects=False,  # type: ignore[arg-type]
    )
    client.get("/judge", params={"token": "anna-token"})
    assert client.get("/judge").status_code == 200
    del known["anna-token"]
    assert client.get("/judge").status_code == 403


def test_no_page_of_fastapis_own_is_served(owner: TestClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert owner.get(path).status_code == 404
