"""The nouns of Stellwerk as frozen dataclasses: what is declared, what is observed, what is planned."""
