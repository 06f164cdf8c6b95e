"""The paper's claims: which they are, and whether they hold in a run."""
