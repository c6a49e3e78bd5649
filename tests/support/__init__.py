"""What tests share: real servers, waiting with a deadline. No test lives here."""
