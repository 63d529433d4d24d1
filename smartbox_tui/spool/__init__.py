"""The spool: pictures, sidecars, headers, exams, ledger. Standard library only; it can rebuild the database."""
