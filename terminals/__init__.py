"""Machines: the server half (models, services, api), what both halves say (messages), the device half (device)."""
