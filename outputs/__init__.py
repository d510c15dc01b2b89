"""What an answer moves: strikes, lamps, sounds. Each kind of output is a module of its own behind `outputs.output`."""
