"""The Python client; :mod:`serve.clients.python.imustream_live` is all of it."""
