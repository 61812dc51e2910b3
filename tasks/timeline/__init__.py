"""Pure: exact time, the timeline's model, cuts, edits, mapping and documents."""
