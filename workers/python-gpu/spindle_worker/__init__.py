"""The Python plane of Spindle."""
