"""What PostgreSQL must hold before the first migration."""
