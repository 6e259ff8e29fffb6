"""Files into memories."""
