"""Who may use the campus card, and in what standing: holders, accounts, cards, passwords, operators, audit.

No money moves here. ``models`` are the tables (``Account`` and ``Card`` are the hot ones that the ledger
updates by SQL), ``checks`` are pure rules about what people type, ``services`` are the writes, ``selectors``
the reads.
"""
