"""The public site and the cardholder's own pages."""
