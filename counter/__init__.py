"""Staff screens: center desk, cashier, supervisor, finance, administration."""
