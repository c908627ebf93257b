"""A whole campus at once: real till programs against a real server, everything that can go wrong, and the sums after.

``run.simulate`` plays it; ``audit`` holds what every holder handed over against the books.
"""
