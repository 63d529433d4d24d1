"""The way to a folder, a share or a medium that is carried away."""
