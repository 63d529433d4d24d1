"""The box as service class user: associations, storage, verification.

Without threads and without pynetdicom: nothing else ever reads the socket, nothing queues a file in memory,
every wait has an end, and a sender is as small as its buffer.
"""
