"""Delivery: a pool of workers, one thread a destination."""
