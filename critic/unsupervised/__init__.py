"""Critics that need no verdict: how likely language models find a triple, said in words (Davison et al. 2019)."""
