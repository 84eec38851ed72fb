"""Nova: the seven lanes that a request passes through."""
