"""The pages about cards, by what a clerk comes for: ``issue``, ``making``, ``life``, ``closing``."""
