"""The graph in other shapes: one module a format, each with one function that writes a stream of edges.

| module | file | holds | leaves out |
|---|---|---|---|
| `jsonl` | `.jsonl` | the fields of SKD's release | language, runs and all that SKD does not have |
| `tsv` | any | head, relation, tail, as ATOMIC-2020 or ConceptNet 100K | all else; refuses a tab or line break |
| `atomic` | `.csv` | the answers of ATOMIC 2019, row by row | languages, scores, runs; refuses a line break |
| `conceptnet` | `.csv`, `.csv.gz` | URIs, weight, sources, details | splits, scores, runs; refuses `none` |
| `kgtk` | `.tsv` | the columns of CSKG | splits, scores, runs |
| `kgx` | two `.jsonl` | phrases, every field of `Edge` | nothing |
| `lama` | `.jsonl` | the probes that edges were read from | all else; refuses other edges |
| `drawn` | `.gexf`, `.json` | phrases, every field of `Edge`; in memory | nothing |
| `parquet` | `.parquet` | every field of `Edge`, and the ids of its phrases | nothing |
| `snapshot` | folder | the whole graph, runs, critics and judgements too | nothing |
| `graphml` | `.graphml` | phrases, every field of `Edge` | nothing (`unescape` restores odd texts) |
| `rdf` | `.nt` `.nq` `.ttl` `.trig` `.jsonld` | phrases, relations, runs, fields of `Edge` | judgements, critics |

What holds for all of them:

* Edges come in as any iterable (`rdf`, `parquet`: pages of rows) and are read once; memory does not grow with their
  number.
* The file appears when it is complete. An export that fails or is interrupted leaves what was there before.
* The number of edges written is returned, and none is left out in silence: all of them are in the file, or
  there is an error and no file.
* Texts are written as they are stored, whatever characters they have, in UTF-8. The tail `none` is kept.
* Lines and RDF whose name ends in `.gz` are packed.
* `graphml` and `rdf` describe each phrase once, so they also take the stream of phrases (`kg.model.Phrase`). It
  must have every phrase that an edge uses. That is not checked: remembering millions of them would break the
  first promise.
"""
