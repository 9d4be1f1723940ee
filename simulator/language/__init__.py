"""Every way of asking a language model; the only home of the openai client, of HTTP and of model runtimes."""
