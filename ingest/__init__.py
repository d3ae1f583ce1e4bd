"""Stage 1: the texts of a teacher, or the rows of a data set, become assertions, and these become the graph.

Recorded: `readers` has one function a file format, `load` brings a file into the graph as one run. Live: a `plan` says
what is asked, `prompts` in which words, `asking` pays for each request once, a `provider` sends it, `replies` reads the
answer, `events` and `inferences` bring what comes of it into the graph. `cleaning` has the same rules for both.
"""
