"""What the hospital's systems ask for and are told: worklist, performed procedure steps."""
