"""Video for Linux, by our own system calls: sequence numbers, kernel times, events and timeouts need them."""
