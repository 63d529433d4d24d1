"""The package in a virtual box: Debian under QEMU with a grabber, a touch panel, a framebuffer and systemd."""
