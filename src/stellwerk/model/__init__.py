"""The nouns of Stellwerk as frozen structs: what is declared, what is observed, what is planned."""
