"""The box as service class user: associations, storage, verification.

Negotiation, socket, P-DATA and release are ours, without threads: nothing else ever reads the socket, nothing
queues a file in memory, and every wait has an end.
"""
