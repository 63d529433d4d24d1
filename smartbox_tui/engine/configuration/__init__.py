"""Settings changed on the running box, and connections tried."""
