"""What distillation is made of: the logits after trained tokens, divergences, teachers in memory and on disk."""
