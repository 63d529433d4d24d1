"""Exams from opening to the right patient: adoption, corrections, recovery, rebuilding."""
