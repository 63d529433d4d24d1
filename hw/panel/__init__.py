"""The box's own panel: touch, framebuffer, console font and palette."""
