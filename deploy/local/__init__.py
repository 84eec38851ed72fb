"""The whole fleet on one machine, with nothing installed beforehand."""
