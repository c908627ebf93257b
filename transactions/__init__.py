"""All money: the ledger, debits, loads, fees, refunds, corrections, merchants' sales and their settlement.

Whoever wants money to move calls a service here; nobody else writes an entry.
"""
