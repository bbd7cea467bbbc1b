"""The reference project, and the story that `stellwerk demo` tells with it."""
