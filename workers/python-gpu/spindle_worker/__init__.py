"""The Python plane of Spindle."""

RELEASE = "0.2.0"
