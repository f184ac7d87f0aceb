"""A CAPTCHA for other web sites, whose answers become labels of a project."""
