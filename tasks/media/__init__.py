"""The edge: FFmpeg, speech and face models, services, the store and files."""
