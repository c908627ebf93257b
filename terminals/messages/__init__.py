"""What terminals and server say to each other: shapes (wire), signatures (signing), keys of operations (operation).

Imports nothing but ``purse``, because the device half runs without Django.
"""
