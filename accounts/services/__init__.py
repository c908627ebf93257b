"""The writes of this room; one verb per function, each with ``actor`` or a door, ``now`` and an audit row.

``holders`` and ``accounts`` and ``cards``: making and ending. ``standing``: loss, freeze. ``passwords``,
``throttle``, ``login``: six digits and the counters that guard them. ``limits``: the daily limit. ``audit``:
the record of it all.
"""
