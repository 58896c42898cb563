"""Set-up of a checkout: what `make setup` installs, and where it lies afterwards.

It runs before the virtual environment exists, so it imports nothing but the standard library.
"""
