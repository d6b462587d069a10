"""Pages: what people see, made on the server from the documents of Commands."""
