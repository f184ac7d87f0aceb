"""Arabic numbers as the browser's Intl writes them with the digits that the keyboard has."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
