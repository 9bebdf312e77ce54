"""Code blocks know how many columns they have, so that the style sheet can fit them into the page."""

from docutils import nodes

COLUMNS = 105, 120, 140, 160, 180


def count_columns(app, doctree):
    """Give a block of more columns than the first step the class of the step that it fits, ``columns-120``."""
    for block in doctree.findall(nodes.literal_block):
        longest = max(map(len, block.astext().split("\n")))
        step = next((limit for limit in COLUMNS if longest <= limit), COLUMNS[-1])
        if step > COLUMNS[0]:
            block["classes"].append(f"columns-{step}")


def setup(app):
    """Look at each page that was read."""
    app.connect("doctree-read", count_columns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
