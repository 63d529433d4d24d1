"""The engine: store, exams, DICOM, delivery, API. Never a screen, never a video frame."""
