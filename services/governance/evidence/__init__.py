"""What proves how an action came to be done, in one file that anybody can check."""
