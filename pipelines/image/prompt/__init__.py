"""The prompt language: one grammar, one parser, one printer; what the encoder gets at each step."""
