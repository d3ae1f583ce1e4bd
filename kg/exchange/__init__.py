"""The graph in other shapes: one module a format, with its reader and its writer.

`formats` is the table of them: the name of each, its reader and its writer, and the properties that are lost on the way
out. A reader yields `Assertion`s and, for rows that it cannot use, `Rejected`s (`rows`); texts stay as they are
published.

What holds for all writers:

* Edges come in as any iterable (`rdf`, `parquet`: pages of rows) and are read once; memory does not grow with their
  number (`networkx` apart).
* The file appears when it is complete. An export that fails or is interrupted leaves what was there before. A pipe or
  stdout is sent a complete file (`target`).
* The number of edges written is returned, and none is left out in silence: all of them are in the file, or
  there is an error and no file.
* Texts are written as they are stored, whatever characters they have, in UTF-8. The tail `none` is kept.
* Lines and RDF whose name ends in `.gz` are packed.
* Formats that describe each phrase once also take the stream of phrases (`kg.model.Phrase`). It must have every phrase
  that an edge uses. That is not checked: remembering millions of them would break the first promise.
"""
