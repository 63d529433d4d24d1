"""Settings: one declarative schema, read from defaults < file < site < environment; each value knows its origin."""
