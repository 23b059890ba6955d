"""What a person looks at: the terminal table, report.html and its charts."""
