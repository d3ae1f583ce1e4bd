"""The fine-tuned critic: a pre-trained model with a classification head that learnt from verdicts."""
