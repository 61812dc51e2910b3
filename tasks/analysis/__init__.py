"""Pure: what the footage holds: transcript, silence, takes, faces, loudness."""
