"""Cards: issue, replace, extend, take back; accounts opened and closed."""
