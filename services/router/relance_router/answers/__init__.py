"""What reps say: by a link in the notification, or by the API."""
