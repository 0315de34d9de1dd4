"""The suite behind tests/benchmarks/run: Python 3.11, its standard library and nothing else."""
