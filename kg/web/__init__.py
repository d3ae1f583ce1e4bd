"""The web application: pages on one graph, for people who look, judge and decide.

`guard` stands before all of it, `app` puts the pages together, `running` serves them. A page reads by `reading`, which
has the walls of `kg query`; what costs seconds is `kept` in memory. What the stages do reaches the pages as callables
(`site.Stages`), which `kg.serve` hands over.
"""
