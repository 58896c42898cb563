"""Benchmarks against a running stack: how fast it is, and that nothing is lost at that speed."""
