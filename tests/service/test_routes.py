"""Every route with every parameter, against a schema of ConceptNet's keys and types; every term is our own."""

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import conceptnet_client.api as conceptnet
import pytest
import uvicorn
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from kg.web.app import make_app
from kg.web.guard import owner_and
from kg.web.running import listen
from kg.web.site import Site
from tests.service.conftest import ADDRESS, BLANK, HOST

TEXT, NUMBER, OBJECT = {"type": "string"}, {"type": "number"}, {"type": "object"}


def keys(needed: dict[str, Any], /, **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(needed), "properties": needed | optional}


def array(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


URI = TEXT | {"pattern": "^/"}
NODE = keys({"@id": TEXT, "@type": {"const": "Node"}, "label": TEXT, "language": TEXT, "term": TEXT}, sense_label=TEXT)
RELATION = keys({"@id": TEXT | {"pattern": "^/r/"}, "@type": {"const": "Relation"}, "label": TEXT})
EDGE = keys(
    {
        "@id": TEXT | {"pattern": r"^/a/\[/r/"}, "@type": {"const": "Edge"}, "dataset": TEXT | {"pattern": "^/d/"},
        "license": TEXT, "rel": RELATION,
        "start": NODE, "end": NODE, "weight": NUMBER, "surfaceText": {"type": ["string", "null"]},
        "sources": array(keys({"@id": TEXT, "@type": {"const": "Source"}, "contributor": TEXT}), least=1),
        "score": {"type": ["number", "null"]}, "accepted": {"type": ["boolean", "null"]}, "runs": array(TEXT, least=1),
    }
)  # fmt: skip
VIEW = keys(
    {"@id": URI, "@type": {"const": "PartialCollectionView"}, "paginatedProperty": TEXT, "firstPage": URI},
    nextPage=URI, previousPage=URI,
)  # fmt: skip
ABOUT = {"@context": array(TEXT, least=1), "@id": TEXT, "version": TEXT}
EDGES = keys(ABOUT | {"edges": array(EDGE, least=1), "view": VIEW})
FEATURES = keys(ABOUT | {"features": array(keys({"feature": OBJECT, "edges": array(EDGE, least=1), "view": VIEW}), 1)})
ONE = keys(ABOUT | EDGE["properties"])
NAME = keys(ABOUT)
ERROR = {
    "type": "object", "required": ["error"], "additionalProperties": False,
    "properties": {"error": keys({"status": {"type": "integer"}, "details": TEXT})},
}  # fmt: skip

ROUTES: list[tuple[str, int, dict[str, Any]]] = [
    ("/c/en/kettle", 200, EDGES),
    ("/c/en/kettle/", 200, EDGES),
    ("/c/en/kettle?limit=2", 200, EDGES),
    ("/c/en/kettle?limit=2&offset=2", 200, EDGES),
    ("/c/en/kettle?grouped=true", 200, FEATURES),
    ("/c/en/kettle?grouped=true&limit=1", 200, FEATURES),
    ("/c/en/kettle?grouped=false", 200, EDGES),
    ("/c/en/kettle/n", 200, EDGES),
    ("/c/en/kettle/n/geology", 200, EDGES),
    ("/c/fr/bouilloire", 200, EDGES),
    ("/c/en", 200, EDGES),
    ("/r/IsA", 200, EDGES),
    ("/r/IsA?limit=1&offset=1", 200, EDGES),
    ("/a/[/r/IsA/,/c/en/kettle/,/c/en/pot/]", 200, ONE),
    ("/a/%5B/r/IsA/%2C/c/en/kettle/%2C/c/en/pot/%5D", 200, ONE),
    ("/s/contributor/example/nora", 200, EDGES),
    ("/s/contributor/example", 200, EDGES),
    ("/s/resource/teacher?limit=3", 200, EDGES),
    ("/d/example/2", 200, EDGES),
    ("/d/example", 200, EDGES),
    ("/d/kettles.csv?limit=2&offset=1", 200, EDGES),
    ("/query?rel=/r/IsA", 200, EDGES),
    ("/query?start=/c/en/kettle", 200, EDGES),
    ("/query?end=/c/en/kitchen_shelf", 200, EDGES),
    ("/query?node=/c/en/pot", 200, EDGES),
    ("/query?node=/c/en/pot&other=/c/en/kettle", 200, EDGES),
    ("/query?other=/c/en/pot", 200, EDGES),
    ("/query?source=/s/contributor/example/nora", 200, EDGES),
    ("/query?dataset=/d/example/2", 200, EDGES),
    ("/query?uri=/c/en/pot", 200, EDGES),
    ("/query?uri=/r/UsedFor", 200, EDGES),
    ("/query?uri=/s/resource/teacher", 200, EDGES),
    ("/query?uri=/d/events.jsonl", 200, EDGES),
    ("/query?uri=/a/[/r/IsA/,/c/en/kettle/,/c/en/pot/]", 200, EDGES),
    ("/query?rel=/r/IsA&start=/c/en/kettle&end=/c/en/pot&source=/s/contributor/example/nora", 200, EDGES),
    ("/query?node=/c/en/kettle&other=/c/fr", 200, EDGES),
    ("/query?start=/c/en&rel=/r/AtLocation&limit=5&offset=5", 200, EDGES),
    ("/query?node=/c/en/kettle&limit=5000", 200, EDGES),
    ("/query?start=/c/en/kettle&end=/c/en/valley", 200, keys(ABOUT | {"edges": {"maxItems": 0}})),
    ("/uri?language=en&text=a+kettle", 200, NAME),
    ("/uri?language=ja&text=%E3%82%84%E3%81%8B%E3%82%93", 200, NAME),
    ("/openapi.json", 200, keys({"openapi": TEXT, "paths": OBJECT})),
    ("/ld/context.ld.json", 200, keys({"@context": OBJECT})),
    ("/c/en/no_such_term", 404, ERROR),
    ("/c/en/no_such_term?grouped=true", 404, ERROR),
    ("/r/NoSuchRelation", 404, ERROR),
    ("/query?rel=/r/NoSuchRelation", 404, ERROR),
    ("/a/[/r/IsA/,/c/en/pot/,/c/en/kettle/]", 404, ERROR),
    ("/a/[/r/NoSuch/,/c/en/pot/,/c/en/kettle/]", 404, ERROR),
    ("/s/contributor/nobody", 404, ERROR),
    ("/d/nothing", 404, ERROR),
    ("/c/no/such/route/but/a/term", 404, ERROR),
    ("/related/c/en/kettle", 404, ERROR),
    ("/related/c/en/kettle?filter=/c/en&limit=3", 404, ERROR),
    ("/related/list/en/kettle,pot@0.5", 404, ERROR),
    ("/relatedness?node1=/c/en/kettle&node2=/c/en/pot", 404, ERROR),
    ("/c", 404, ERROR),
    ("/c/", 400, ERROR),
    ("/query", 400, ERROR),
    ("/query?start=kettle", 400, ERROR),
    ("/query?rel=IsA", 400, ERROR),
    ("/query?uri=/r/IsA&rel=/r/UsedFor", 400, ERROR),
    ("/query?node=/c/en/kettle&limit=0", 400, ERROR),
    ("/query?node=/c/en/kettle&limit=-1", 400, ERROR),
    ("/query?node=/c/en/kettle&limit=many", 400, ERROR),
    ("/query?node=/c/en/kettle&offset=-1", 400, ERROR),
    ("/query?node=/c/en/kettle&offset=99999999999999999999", 400, ERROR),
    ("/query?rel=/r/IsA&after=nonsense", 400, ERROR),
    ("/c/en/kettle?grouped=perhaps", 400, ERROR),
    ("/a/kettle", 400, ERROR),
    ("/uri?language=en", 400, ERROR),
    ("/uri?text=kettle", 400, ERROR),
    ("/uri?language=en&text=+", 400, ERROR),
    ("/related/list/en/", 400, ERROR),
    ("/related/list/en/kettle@heavy", 400, ERROR),
    ("/related/list/en/kettle@nan", 400, ERROR),
    ("/relatedness?node1=/c/en/kettle", 400, ERROR),
    ("/relatedness?node1=kettle&node2=/c/en/pot", 400, ERROR),
]


@pytest.mark.parametrize(("asked", "status", "schema"), ROUTES)
def test_a_route_answers_in_conceptnets_form(asked: str, status: int, schema: dict[str, Any], api: TestClient) -> None:
    answer = api.get(asked)
    assert answer.status_code == status, answer.text
    content = answer.json()
    Draft202012Validator(schema).validate(content)
    if status != 200:
        assert content["error"]["status"] == status
    assert answer.headers["access-control-allow-origin"] == "*"


def labels(edges: list[dict[str, Any]]) -> list[str]:
    return [f"{edge['start']['label']} {edge['rel']['label']} {edge['end']['label']}" for edge in edges]


def test_edges_around_a_term_come_by_weight_with_those_of_its_senses(api: TestClient) -> None:
    edges = api.get("/c/en/kettle").json()["edges"]
    assert labels(edges)[:3] == ["kettle UsedFor boiling water", "kettle IsA pot", "kettle IsA bouilloire"]
    assert [edge["weight"] for edge in edges] == [4.0, 2.5, 1.5, 1.0, 1.0, 0.5]
    assert {edge["start"]["@id"] for edge in edges} == {"/c/en/kettle", "/c/en/kettle/n/geology"}
    (sense,) = api.get("/c/en/kettle/n").json()["edges"]
    assert sense["start"] == {
        "@id": "/c/en/kettle/n/geology", "@type": "Node", "label": "kettle", "language": "en",
        "term": "/c/en/kettle", "sense_label": "n, geology",
    }  # fmt: skip


def test_an_edge_says_what_its_source_said_and_what_this_graph_knows_beside_that(api: TestClient) -> None:
    used, stated = api.get("/c/en/kettle?limit=2").json()["edges"]
    assert (stated["dataset"], stated["license"]) == ("/d/example/2", "cc:by-sa/4.0")
    assert stated["surfaceText"] == "[[a kettle]] is a kind of [[pot]]"
    assert stated["sources"][0] == {
        "@id": "/and/[/s/activity/example/form/,/s/contributor/example/nora/]", "@type": "Source",
        "activity": "/s/activity/example/form", "contributor": "/s/contributor/example/nora",
    }  # fmt: skip
    assert (used["dataset"], used["license"], used["surfaceText"]) == ("/d/kettles.csv", "cc:by/4.0", None)
    assert (used["score"], used["accepted"]) == (0.75, True)
    assert used["sources"][0]["process"] == f"/s/process/{used['runs'][0]}"
    assert api.get(used["sources"][0]["process"]).status_code == 200


def test_no_effect_is_no_edge_of_the_api(api: TestClient) -> None:
    assert api.get("/r/oEffect").status_code == 404
    assert labels(api.get("/c/en/none").json()["edges"]) == ["kettle IsA none"]


@pytest.mark.parametrize(
    "first",
    ["/query?end=/c/en/kitchen_shelf&limit=7", "/r/AtLocation?limit=4", "/c/en?limit=6", "/d/kettles.csv?limit=1"],
)
def test_the_next_pages_show_every_edge_once_and_previous_ones_lead_back(first: str, api: TestClient) -> None:
    pages = [api.get(first).json()]
    while following := pages[-1]["view"].get("nextPage"):
        pages.append(api.get(following).json())
    found = [edge["@id"] for page in pages for edge in page["edges"]]
    whole = api.get(re.sub(r"limit=\d+", "limit=1000", first)).json()
    assert found == [edge["@id"] for edge in whole["edges"]]
    assert len(set(found)) == len(found) >= 5
    assert "nextPage" not in whole["view"]
    assert "previousPage" not in pages[0]["view"]
    for before, page in itertools.pairwise(pages):
        assert api.get(page["view"]["previousPage"]).json()["edges"] == before["edges"]
        assert api.get(page["view"]["firstPage"]).json()["edges"] == pages[0]["edges"]


def test_every_uri_of_an_answer_leads_to_what_it_names_sent_as_it_is_or_encoded(api: TestClient) -> None:
    edges = [*api.get("/r/IsA").json()["edges"], *api.get("/r/xWant").json()["edges"]]
    assert BLANK in {edge["start"]["label"] for edge in edges}
    for edge in edges:
        for uri in (edge["@id"], quote(edge["@id"])):
            assert api.get(uri).json()["@id"] == edge["@id"]
        for end in ("start", "end"):
            for uri in (edge[end]["@id"], quote(edge[end]["@id"])):
                assert edge["@id"] in [one["@id"] for one in api.get(uri).json()["edges"]]
            answer = api.get("/query", params={end: edge[end]["@id"]})
            found = answer.json()["edges"]
            assert edge["@id"] in [one["@id"] for one in found]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("/c/en/kettle_creek", "Kettle Creek"), ("/c/en/personx_fills_with_1%2F2_a_cup", BLANK),
     (f"/c/en/{quote(BLANK.replace(' ', '_'), safe='')}", BLANK), ("/c/en/the_kitchen_shelf", "kitchen shelf")],
)  # fmt: skip
def test_a_term_is_found_in_its_normal_form(asked: str, found: str, api: TestClient) -> None:
    edge = api.get(asked).json()["edges"][0]
    assert found in (edge["start"]["label"], edge["end"]["label"])


def test_a_text_has_the_uri_of_the_phrase_that_says_it_or_that_of_its_normal_form(api: TestClient) -> None:
    def uri(text: str, language: str = "en") -> str:
        return str(api.get("/uri", params={"language": language, "text": text}).json()["@id"])

    assert uri("Kettle Creek") == "/c/en/Kettle_Creek"
    assert uri("A Teapot") == "/c/en/teapot"
    assert uri(BLANK) == "/c/en/PersonX_fills_%5F%5F%5F_with_1%2F2_a_cup"
    assert uri("La Bouilloire", "fr") == "/c/fr/la_bouilloire"
    assert uri("A Teapot", "EN") == "/c/en/teapot"
    assert uri("mother-in-law") == "/c/en/mother_in_law"
    for text, lang in (("हिन्दी", "hi"), ("ที่นี่", "th"), ("مُحَمَّد", "ar"), ("שָׁלוֹם", "he"), ("தமிழ்", "ta")):
        assert uri(text, lang) == f"/c/{lang}/{text}"


def test_features_group_edges_by_relation_and_direction_and_their_views_go_on(api: TestClient) -> None:
    features = api.get("/c/en/kettle?grouped=true&limit=1").json()["features"]
    kinds = [feature["feature"] for feature in features]
    assert {"rel": "/r/IsA", "start": "/c/en/kettle"} in kinds
    assert {"rel": "/r/Antonym", "node": "/c/en/kettle"} in kinds
    isa = features[kinds.index({"rel": "/r/IsA", "start": "/c/en/kettle"})]
    assert labels(isa["edges"]) == ["kettle IsA pot"]
    assert labels(api.get(isa["view"]["nextPage"]).json()["edges"]) == ["kettle IsA bouilloire"]
    shelf = api.get("/c/en/kitchen_shelf?grouped=true").json()["features"]
    assert [(one["feature"], one["total"], len(one["edges"])) for one in shelf] == [
        ({"rel": "/r/AtLocation", "end": "/c/en/kitchen_shelf"}, 25, 20)
    ]


def test_filters_hold_together(api: TestClient) -> None:
    def found(**asked: str) -> list[str]:
        return labels(api.get("/query", params=asked).json()["edges"])

    assert found(start="/c/en/pot", node="/c/en/kettle") == []
    assert found(node="/c/en/pot", other="/c/en/kettle") == ["kettle IsA pot"]
    assert found(node="/c/en/kettle", other="/c/fr") == ["kettle IsA bouilloire"]
    assert found(end=ADDRESS) == found(node=ADDRESS) == [f"Kettle Creek ExternalURL {ADDRESS}"]
    assert found(node="/c/en/kettle", source="/s/resource/teacher") == ["kettle IsA none"]
    assert found(node="/c/en/kettle", dataset="/d/example/2") == ["kettle IsA pot"]
    assert "kettle IsA pot" not in found(node="/c/en/kettle", dataset="/d/kettles.csv")
    assert found(node="/c/en/kettl") == []


def test_the_same_answer_is_not_sent_twice(api: TestClient) -> None:
    answer = api.get("/c/en/kettle")
    again = api.get("/c/en/kettle", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.get("/c/en/pot", headers={"if-none-match": answer.headers["etag"]}).status_code == 200


def test_the_description_names_every_route_and_the_page_shows_it(api: TestClient) -> None:
    described = api.get("/openapi.json").json()["paths"]
    page = api.get("/docs").text
    assert {path.split("/")[1] for path in described} == {
        "c", "r", "a", "s", "d", "query", "uri", "related", "relatedness"
    }  # fmt: skip
    for path, methods in described.items():
        assert path in page
        for one in methods["get"].get("parameters", ()):
            assert f"<code>{one['name']}</code>" in page


@pytest.mark.parametrize("path", ["/", "/browse", "/c/../browse", "//c/en/kettle", "/static/style.css", "/judge"])
def test_the_pages_beside_the_api_still_need_a_token(path: str, api: TestClient) -> None:
    assert api.get(path).status_code in (403, 404)
    assert "kettle" not in api.get(path).text


def test_the_api_goes_by_our_hosts_only_and_takes_no_posts(api: TestClient) -> None:
    assert api.get("/c/en/kettle", headers={"host": "evil.example"}).status_code == 403
    assert api.post("/c/en/kettle").status_code == 405
    assert api.get("/c/en/kettle?token=a-token").status_code == 200
    assert "set-cookie" not in api.get("/c/en/kettle?token=a-token").headers


def test_without_the_api_its_routes_are_closed(site: Site) -> None:
    app = make_app(site, hosts={HOST}, who=owner_and("a-token", {}.get))
    assert TestClient(app, base_url=f"http://{HOST}").get("/c/en/kettle").status_code == 403


@contextmanager
def served(api: TestClient) -> Iterator[str]:
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]

    async def renamed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"host"] + [(b"host", HOST.encode())]
        await api.app(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(renamed, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def test_a_client_of_conceptnets_service_reads_this_one(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(api) as address:
        monkeypatch.setattr(conceptnet, "BASE_URL", address)
        found = conceptnet.ConceptNetAPI("en").lookup("Kettle", limit=3)
    assert len(found) == 3
    assert set(found.relations()) == {"UsedFor", "IsA"}
    assert found[1].to_dict()["start"]["label"] == "kettle"
