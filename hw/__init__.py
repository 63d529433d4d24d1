"""The hardware of the box: video sources and pedals. Usable alone; knows nothing of the application."""
