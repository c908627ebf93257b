"""The cashier's pages, by what they are about: till, slip, voids, shifts, papers, display, drawers."""
