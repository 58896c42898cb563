"""Serve application `inference`: models over HTTP (Open Inference Protocol v2) and to pipelines."""
