# The schema's migrations.
