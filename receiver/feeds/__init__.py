"""What is fetched from USPS beside the callbacks; all of it leaves by the callbacks' door."""
