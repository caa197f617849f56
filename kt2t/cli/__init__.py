"""The command line: one command per file. Each passes its arguments and `key=value` overrides to `kt2t.run`."""
