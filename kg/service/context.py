"""The JSON-LD context of the API's answers: what their keys mean."""

CONTEXT_PATH = "/ld/context.ld.json"
"""Where it is served."""

_OWN = "urn:skd-graph:"

CONTEXT = {
    "@context": {
        "@vocab": _OWN,
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dct": "http://purl.org/dc/terms/",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "hydra": "http://www.w3.org/ns/hydra/core#",
        "label": "rdfs:label",
        "comment": "rdfs:comment",
        "language": "dct:language",
        "license": "dct:license",
        "sources": {"@id": f"{_OWN}source", "@container": "@set"},
        "edges": {"@id": f"{_OWN}edge", "@container": "@set"},
        "features": {"@id": f"{_OWN}feature", "@container": "@list"},
        "related": {"@id": f"{_OWN}related", "@container": "@list"},
        "rel": {"@id": f"{_OWN}rel", "@type": "@id"},
        "start": {"@id": f"{_OWN}start", "@type": "@id"},
        "end": {"@id": f"{_OWN}end", "@type": "@id"},
        "term": {"@id": f"{_OWN}term", "@type": "@id"},
        "dataset": {"@id": f"{_OWN}dataset", "@type": "@id"},
        "weight": {"@id": f"{_OWN}weight", "@type": "xsd:double"},
        "score": {"@id": f"{_OWN}score", "@type": "xsd:double"},
        "view": {"@id": "hydra:view", "@type": "@id"},
        "firstPage": {"@id": "hydra:first", "@type": "@id"},
        "nextPage": {"@id": "hydra:next", "@type": "@id"},
        "previousPage": {"@id": "hydra:previous", "@type": "@id"},
        "PartialCollectionView": "hydra:PartialCollectionView",
    }
}
