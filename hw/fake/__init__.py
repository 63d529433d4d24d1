"""Stand-ins for hardware, scriptable and fault-injecting, under the same contract tests as the real thing."""
