"""Section 3: the networks, batch norm with explicit statistics, the authors' weights."""
