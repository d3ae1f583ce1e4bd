"""The ranker: two towers that rank known tails."""
