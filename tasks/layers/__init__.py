"""Pure: one module a layer: a frozen dataclass and a timeline make instructions."""
