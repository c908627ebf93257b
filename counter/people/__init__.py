"""Whoever stands at the desk: search, the account with its card beside its book, standing, passwords, diagnosis."""
