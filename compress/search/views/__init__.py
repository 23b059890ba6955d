"""What people see of a search: the live table, the tables at the end and report.html. Reads `SearchReport` only."""
