"""The derived views, one folder each, deletable without touching another; `engine/` is what they share."""
