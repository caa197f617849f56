"""The command line: one command per file. Each command passes its arguments and `key=value` overrides to `kt2t.run`."""
