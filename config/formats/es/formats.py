"""Spanish numbers as the browser's Intl writes them."""

THOUSAND_SEPARATOR = "."
