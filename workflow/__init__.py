"""How the work is run: parameters, the DAG under two engines, the demo world, provenance, report templates."""
