"""HEAD, OPTIONS, preflights, ETags and odd addresses, on every route."""

from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.service.test_routes import ROUTES

GOOD = (
    "/c/en/kettle", "/r/IsA", "/a/[/r/IsA/,/c/en/kettle/,/c/en/pot/]", "/s/resource/teacher", "/d/kettles.csv",
    "/query?node=/c/en/pot", "/uri?language=en&text=kettle", "/ld/context.ld.json", "/docs", "/openapi.json",
)  # fmt: skip
EVERY = (*GOOD, "/related/c/en/kettle", "/relatedness?node1=/c/en/kettle&node2=/c/en/pot", "/c", "/c/", "/query")


@pytest.mark.parametrize("asked", EVERY)
def test_a_head_is_a_get_without_its_body(asked: str, api: TestClient) -> None:
    got, head = api.get(asked), api.head(asked)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-length", "content-type", "etag", "access-control-allow-origin"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("asked", [*EVERY, "/sparql"])
def test_a_browser_is_told_that_pages_of_other_sites_may_ask(asked: str, api: TestClient) -> None:
    preflight = api.options(
        asked,
        headers={
            "origin": "https://elsewhere.example", "access-control-request-method": "GET",
            "access-control-request-headers": "if-none-match, x-own",
        },
    )  # fmt: skip
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "if-none-match, x-own"
    methods = "GET, HEAD, POST, OPTIONS" if asked == "/sparql" else "GET, HEAD, OPTIONS"
    assert preflight.headers["access-control-allow-methods"] == preflight.headers["allow"] == methods
    assert "access-control-allow-credentials" not in preflight.headers
    assert api.options(asked).headers["allow"] == methods


def test_preflights_go_by_our_hosts_only_and_not_for_pages(api: TestClient) -> None:
    assert api.options("/c/en/kettle", headers={"host": "evil.example"}).status_code == 403
    for path in ("/", "/browse", "/cypher"):
        answer = api.options(path)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_no_reading_method_is_an_error_that_names_those_that_are(method: str, api: TestClient) -> None:
    for asked in EVERY:
        answer = api.request(method, asked)
        if answer.status_code != 404:  # where there is no such route at all
            assert (answer.status_code, answer.json()["error"]["status"]) == (405, 405)
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("asked", GOOD)
def test_what_a_client_has_is_not_sent_again(asked: str, api: TestClient) -> None:
    tag = api.get(asked).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for answer in (
            api.get(asked, headers={"if-none-match": known}),
            api.head(asked, headers={"if-none-match": known}),
        ):
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
            assert answer.headers["access-control-allow-origin"] == "*"
    for other in ('"other"', "", tag.strip('"')):
        assert api.get(asked, headers={"if-none-match": other}).status_code == 200


@pytest.mark.parametrize(("asked", "status"), [
    *((f"{path}limit={value}", 400) for path in ("/c/en/kettle?", "/r/IsA?", "/s/resource/teacher?", "/d/kettles.csv?",
      "/query?node=/c/en/kettle&", "/related/c/en/kettle?") for value in ("0", "-1", "abc", "", "1.5", "1e3")),
    *((f"/c/en/kettle?offset={value}", 400) for value in ("-1", "abc", "", "1.5", "10000001")),
    *((f"{path}{name}&{name}", 400) for path, name in (("/c/en/kettle?", "limit=1"), ("/r/IsA?", "offset=1"),
      ("/query?", "node=/c/en/kettle"), ("/uri?language=en&", "text=kettle"), ("/c/en/kettle?", "grouped=true"),
      ("/relatedness?node2=/c/en/pot&", "node1=/c/en/kettle"), ("/related/c/en/kettle?", "filter=/c/en"))),
    ("/c/en/kettle?limit=1&%6Cimit=2", 400), ("/uri?text=kettle", 400), ("/uri?language=&text=kettle", 400),
    ("/uri?language=en/x&text=kettle", 400), ("/c/en/%FF", 404), ("/c/en/%00", 400), ("/c/en/%ED%A0%80", 404),
    ("/c/ja/" + quote("やかん"), 404), ("/c/en/" + "x" * 9_000, 404), ("/c/en/" + "x_" * 4_000 + "x", 404),
    ("/c/en%2Fkettle", 404),
    ("/c%2Fen%2Fkettle", 400), ("/r/IsA%00", 404), ("/a/[]", 400), ("/a/%5B%5D", 400),
    ("/related/", 400), ("/s/", 400), ("/d/", 400),
    ("/query?node=kettle", 400), ("/query?node=", 400), ("/query?rel=/c/en/kettle", 400), ("/nothing", 403),
])  # fmt: skip
def test_an_odd_address_is_an_error_in_json(asked: str, status: int, api: TestClient) -> None:
    answer = api.get(asked)
    assert answer.status_code == status, answer.text
    if status != 403:  # which is the guard's: no route of the API
        assert answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert error["status"] == status
        assert error["details"]


@pytest.mark.parametrize(("asked", "edges"), [
    ("/c/en/kettle?limit=1001", 6), ("/query?node=/c/en/kettle&limit=1001", 6), ("/c/en/kettle?offset=6", 0),
    ("/c/en/kettle?offset=9999999", 0), ("/r/IsA?offset=9999", 0), ("/query?node=/c/en/kettle&offset=9999", 0),
    ("/c/fr/bouilloire/", 1), ("/c/fr/bouilloire//", 1), ("/query?node=%2Fc%2Ffr%2Fbouilloire", 1),
    ("/query?node=/c/fr/bouilloire/", 1), ("/c/en/kettle?unknown=1&unknown2=2", 6),
])  # fmt: skip
def test_an_unusual_address_is_answered_all_the_same(asked: str, edges: int, api: TestClient) -> None:
    answer = api.get(asked)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["edges"]) == edges


@pytest.mark.parametrize("asked", sorted({asked.partition("?")[0] for asked, status, _ in ROUTES if status == 200}))
def test_an_answer_is_json_ld_to_who_accepts_it_and_json_to_others(asked: str, api: TestClient) -> None:
    for accept, media in (("application/ld+json", "application/ld+json"), ("*/*", "application/json")):
        answer = api.get(asked, headers={"accept": accept})
        if "@context" in answer.json() and "@id" in answer.json():
            assert answer.headers["content-type"] == media
