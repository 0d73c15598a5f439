"""Every file that passes between the rooms: one class a kind, with schema version, save, load and digest."""
