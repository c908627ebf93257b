"""Many at once: the yearly roster, photos, batch issue, printing, hand-over lists, graduation."""
