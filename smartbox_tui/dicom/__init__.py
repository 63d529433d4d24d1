"""DICOM: objects (build, compose), and the network as user (scu) and as provider (scp).

The only room that knows pydicom and pynetdicom, and it imports them where they are used: an engine that has
nothing to send does not hold them in memory.
"""
