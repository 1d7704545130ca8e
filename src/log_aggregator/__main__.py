"""`python -m log_aggregator`."""

from log_aggregator.cli import main

if __name__ == "__main__":
    main()
