"""What a person deploys and watches with."""
