"""Section 4.1.1: near-duplicates by the hash codes of a de-noising autoencoder."""
