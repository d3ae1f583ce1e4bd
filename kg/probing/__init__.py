"""Probes: what a language model knows without being taught, asked by sentences with a blank."""
