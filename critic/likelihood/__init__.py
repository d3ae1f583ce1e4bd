"""The likelihood critic: a language model's view beside the blend's scores, and a fast critic that learnt from it."""
