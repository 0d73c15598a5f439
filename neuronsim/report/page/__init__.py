"""What a page is made of, whatever it tells: blocks, figures, style, rendering."""
