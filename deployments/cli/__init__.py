"""The command line: reads arguments, runs a flow, prints the result."""
