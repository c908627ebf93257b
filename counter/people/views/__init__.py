"""The pages about people, by what a clerk comes for: ``search``, ``account``, and the deeds."""
