"""A live teacher: what it is asked, in which words, at what price, and what becomes of its replies."""
