"""What stands around every route of `api`: bounds, the audit log, repeats. Plain ASGI."""
