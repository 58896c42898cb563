"""Clients of the WebSocket `/ws`: for pages and Node.js, and for Python programs and notebooks."""
