"""The report, README's table and picture, and the summary of a run."""
