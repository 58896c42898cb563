"""imustream on Kubernetes: manifests, the container image, and what starts the stream there."""
