"""The tables of diagnoses. All times are the database's own."""
