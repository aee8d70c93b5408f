"""Administration: what the command line does to a store, in the server that holds it or by itself."""
