"""What cards are read with: pure frame parsers and presence, and one thin shell for each library."""
