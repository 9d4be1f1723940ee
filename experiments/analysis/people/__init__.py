"""The people behind the averages: for whom an arm is better, who fares how, and any user's sessions page by page."""
