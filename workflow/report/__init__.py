"""The report, README's table, and the summary of a run."""
