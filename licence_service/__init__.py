"""E-licences (电子证照): issue, show and verify them."""
