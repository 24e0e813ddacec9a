"""Dead letters: filter, groups, bulk actions."""
