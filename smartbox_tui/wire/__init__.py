"""What the processes say to each other: commands, state, events over HTTP + WebSocket on Unix sockets."""
