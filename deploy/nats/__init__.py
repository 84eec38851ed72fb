"""What NATS must know before the first service connects: its settings, and its users."""
