"""What the box keeps and what it lets go: release of local copies, water marks, forgetting."""
