"""Reports: results told in words, figures and tables, as HTML, PDF and Markdown."""
