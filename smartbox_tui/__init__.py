"""SmartBox: a medical capture box. Stills and video from grabbers, as DICOM objects, into the archives."""

__version__ = "0.1.0"
