# Benchmarks: 'make bench' builds them, each prints its own table.
