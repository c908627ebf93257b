"""The cashier: shift, top-up, receipt, closing."""
