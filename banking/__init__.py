"""The bank is an outside party: bindings, loads, reversals, day file, ISO 8583 gateway, bank simulator."""
