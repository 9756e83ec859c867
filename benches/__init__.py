"""How fast selection is, beside what people use today."""
