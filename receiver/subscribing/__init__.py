"""What the registry says USPS should call us for, made so at USPS: plan, apply and list."""
