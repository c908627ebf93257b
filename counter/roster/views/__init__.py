"""The pages for many at once: ``rosters`` (files of people), ``photos``, ``issues`` (cards), ``closings``."""
