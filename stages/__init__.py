"""One script a node of the DAG; each is run as `python -m stages.verb_noun --params params.yaml ...`."""
