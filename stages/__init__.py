"""One script per node of the DAG; each is run as `python -m stages.verb_noun --params params.yaml ...`."""

import os

import workflow as workflow  # prepares for the imports of a stage

# Threads of one computation wait for each other after every layer. Waking a thread that sleeps can take as long as a
# layer of a small network, on a virtual machine above all. A thread that spins is there at once, but takes a core from
# whoever has work, if there are more threads than cores. So threads sleep, unless the stage has its cores to itself:
# DVC runs one stage at a time except for experiments in temporary folders, and the Snakefile knows its jobs. A spin of
# 3,000 was slower, one of 100,000 hardly faster. GNU's OpenMP reads this when torch is imported. No result depends on
# it (benchmarks/waiting.py measures the speed).
SPIN = {"GOMP_SPINCOUNT": "10000"}
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "DVC_STAGE" in os.environ and "/.dvc/tmp/" not in os.environ.get("DVC_ROOT", ""):
    for name, value in SPIN.items():
        os.environ.setdefault(name, value)
