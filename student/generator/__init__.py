"""The generator: a language model that writes tails."""
