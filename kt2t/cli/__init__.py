"""The command line: one command a file, words and `key=value` handed to `kt2t.run`."""
