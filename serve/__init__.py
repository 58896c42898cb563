"""Ray Serve applications: the API, the live WebSocket streams and the dashboard."""
