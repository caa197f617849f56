"""`python -m kt2t` is the command line."""

from kt2t.cli.main import main

if __name__ == "__main__":
    main()
