"""What packing a log object costs, step by step: the model behind the pages of prices and costs."""
