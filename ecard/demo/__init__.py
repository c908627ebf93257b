"""The demo campus: invented people, real places of the guide, a fortnight of lunches, and the stories of the guide.

Everything follows from one seed. Nothing here is used outside ``seed_demo`` and ``demo``.
"""
