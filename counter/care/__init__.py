"""What holders complain of and what is found: disputes, found cards."""
