"""Unattended doors: the touch-screen query, the load kiosk's screens, the phone."""
