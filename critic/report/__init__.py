"""`kg critic report`: the critics of a graph beside one another, as one page and its pictures; no model runs."""
