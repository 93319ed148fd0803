"""What an operator can ask for: one module a verb, which reads like the minutes of a meeting."""
