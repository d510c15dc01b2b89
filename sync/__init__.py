"""What a host holds and how it keeps it whole: the card cache, the journal, and the way both are written."""
