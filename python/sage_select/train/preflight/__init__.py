"""What a run would learn, from what, and at what price: found out before any weight is loaded."""
