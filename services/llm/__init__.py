"""The llm service: the one door to models, and the ledger of what passed through it."""
