"""One module per command or group of commands; each exposes `register(app: typer.Typer)`."""
