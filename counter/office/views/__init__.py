"""Pages of the administration, one file a subject."""
