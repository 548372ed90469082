"""Benchmarks: `python -m benchmarks` measures omisim beside what it is compared with."""
