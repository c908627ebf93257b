"""Machines: the server half (models, services, thin API), what both halves say (messages), and the device half (device)."""
