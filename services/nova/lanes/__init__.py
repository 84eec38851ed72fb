"""The lanes that call others: B context, C plan, D governance, F execution, G audit."""
