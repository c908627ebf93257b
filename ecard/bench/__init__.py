"""How fast are we, on this machine, compared with what PostgreSQL itself can do here? (docs/measurements.md)

Only ratios within one run count: every path is measured in rounds, interleaved with ``pgbench -N``.
"""
