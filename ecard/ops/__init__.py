"""Keeping the database: backups, drills that restore them, copies for people and auditors."""
