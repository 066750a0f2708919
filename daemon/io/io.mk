# Adapters to files, sockets and the database.
