"""What the registry tells of what was served: figures for the caterer and the municipality, closed months, who is missing."""
