"""Readers of this stage's own: what a recorded teacher wrote, and PHALM; they join `kg.exchange.formats` here.

All other formats are read where they are written, in `kg.exchange`.
"""

from kg.exchange.formats import Format, Reading, has_keys, register

register(
    Format(
        "completions",
        "recorded completions, JSONL",
        Reading(
            "ingest.readers.completions:read_completions", "skd", takes=("lines", "vocabulary", "lang", "dropped"),
            looks_like=has_keys("event", "relation", "tails"),
        ),
        endings=(".jsonl",),
    )
)  # fmt: skip
register(
    Format(
        "phalm",
        "PHALM's JSONL",
        Reading("ingest.readers.phalm:read_phalm", "atomic", "ja", looks_like=has_keys("event", "inference")),
        endings=(".jsonl",),
    )
)
