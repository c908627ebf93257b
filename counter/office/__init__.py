"""Administration: policy values, places, terminals, merchants, jobs."""
