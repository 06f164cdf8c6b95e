"""One script a node of the DAG; each is run as `python -m stages.verb_noun --params params.yaml ...`."""

import os

# Threads of one computation wait for each other after every layer. Those that sleep have to be woken, which on a
# virtual machine can take as long as a layer of a small network; those that spin for a while are there at once, but
# take the cores from whoever has work to do as soon as there are more threads than cores. So they sleep, unless a stage
# has its cores to itself, as far as can be told: DVC runs one after the other, but for experiments in folders of their
# own; Snakefile knows of its jobs. A spin of 3,000 was slower, one of 100,000 hardly faster. Read by GNU's OpenMP when
# torch is imported; no result depends on it (benchmarks/waiting.py: speed).
SPIN = {"GOMP_SPINCOUNT": "10000"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "DVC_STAGE" in os.environ and "/.dvc/tmp/" not in os.environ.get("DVC_ROOT", ""):
    for name, value in SPIN.items():
        os.environ.setdefault(name, value)
