"""Measures the ratios that the project claims, each in one run on one machine: `make bench`."""
