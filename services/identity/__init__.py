"""Who people, agents and services are, and the tokens that prove it."""
