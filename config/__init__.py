"""The composition root: settings, addresses, processes. The only package that knows both apps."""
