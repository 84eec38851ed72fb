"""What the rules say: built in or a tenant's own, tried, replayed, promoted."""
