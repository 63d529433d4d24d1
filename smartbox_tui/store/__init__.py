"""The store: exams, instances, the delivery queue. SQLite in WAL; one thread writes, the others only read."""
