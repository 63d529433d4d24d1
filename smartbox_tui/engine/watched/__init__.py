"""Watched folders: camera pictures that somebody puts there, taken in once each, for the patient they name."""
