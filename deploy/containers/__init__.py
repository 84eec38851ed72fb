"""What the fleet needs in containers beside its image: provisioning, and a health check."""
