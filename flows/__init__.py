"""The order of the work: which step follows which, and what runs side by side."""
