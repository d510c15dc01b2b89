"""Where Django looks for what the admin shows: our tables are registered with our own site alone."""

from registry.office.settings_admin import TABLES
from registry.office.site import office

for model, shown_by in TABLES:
    office.register(model, shown_by)
