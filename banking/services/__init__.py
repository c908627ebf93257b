"""The writes of this room. ``bindings``: which bank card belongs to which account."""
