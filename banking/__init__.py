"""The bank is an outside party: bindings, loads, reversals, the day file, the ISO 8583 gateway, a bank simulator."""
