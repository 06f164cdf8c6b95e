"""What DVC and Snakemake, and a stage that they start, have in common."""
