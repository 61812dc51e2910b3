"""The ways in: command line, deployments, work pools and the watched folder."""
