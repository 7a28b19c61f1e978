"""What a judge and a policy are worth: measures, their intervals, and the reports that show them."""
