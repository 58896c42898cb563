"""The parts of imustream on one machine: real servers as supervised processes."""
