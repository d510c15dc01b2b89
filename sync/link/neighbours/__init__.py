"""The networked part's conversation with the site's other hosts."""
