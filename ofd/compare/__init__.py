"""What two documents differ in: files, data, pages, text, and what is seen of them."""
