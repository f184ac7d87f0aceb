"""Chinese numbers as the browser's Intl writes them."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
