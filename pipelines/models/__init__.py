"""Models: where they are kept, what their files hold, and how they are called."""
