"""A fleet of simulated sensors with ground truth and faults on request."""
