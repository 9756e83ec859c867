"""Does the selection help a language model? A small one, pre-trained here and tuned on the picks of each rule."""
