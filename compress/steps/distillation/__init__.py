"""What `distill` says in YAML: objectives, phases, teachers, numbers that change while training; and their checks."""
