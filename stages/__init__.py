"""One script a node of the DAG; each is run as `python -m stages.verb_noun --params params.yaml ...`."""

import os

# Threads that wait by spinning take the cores from each other as soon as a machine has more threads than cores, as
# under `snakemake --cores 8` on a laptop: training then ran at a fifteenth of its speed. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
