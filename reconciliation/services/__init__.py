"""The writes of this room. ``reconcile``: the nightly comparison. ``cases``: what becomes of a case. ``verify``: reads
everything and changes nothing.
"""
