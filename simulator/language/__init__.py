"""Every way of asking a language model; the only home of HTTP and of model runtimes."""
