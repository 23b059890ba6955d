"""Models of one or several runs side by side: what can be compared, what cannot and why, as a table and as a page."""
