"""Benchmarks: ``make bench``. They report and never fail."""
