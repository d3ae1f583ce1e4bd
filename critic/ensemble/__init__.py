"""The kind that reads triples with a language model, and knows the verdicts on triples it reads alike."""
