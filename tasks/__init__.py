"""The steps, one a module, and the library of the editor in sub-packages free of Prefect."""
