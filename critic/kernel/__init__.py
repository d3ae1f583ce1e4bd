"""The kernel critic: verdicts spread to triples that are near in meaning, by kernel ridge regression."""
