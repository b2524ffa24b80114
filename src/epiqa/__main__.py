"""`python -m epiqa` is the command `epiqa`."""

from epiqa.cli import main

if __name__ == "__main__":
    main()
