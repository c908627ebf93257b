"""The cashier: shifts, top-ups, receipts, and the customer's display."""
