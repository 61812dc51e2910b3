"""Pure: the render plan, its chunks, their filter graphs and encoder arguments."""
