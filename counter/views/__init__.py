"""The staff pages, by what people come for: ``entry``, ``queue``, ``cases``, ``decisions``, ``papers``."""
