"""What an order is and what may be done with it; no I/O, no framework."""
