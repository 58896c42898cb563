"""The commands of `imustream`, one module each; a module's `register` adds its command."""
