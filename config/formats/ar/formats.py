"""Arabic numbers as the browser's Intl writes them with the keyboard's digits, and moments."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
DATETIME_FORMAT = "j F Y، H:i"
