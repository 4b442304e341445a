"""Making documents: pages, templates, annotations, attachments, indexes; layout of flowing text; changing documents."""
