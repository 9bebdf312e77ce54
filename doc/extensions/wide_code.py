"""Code blocks know how many columns they have, so that the style sheet can fit them into the page."""

from docutils import nodes

COLUMNS = 110, 140, 180


def count_columns(app, doctree):
    """Give a block with long lines the class ``columns-140``, if it has up to 140 columns and more than the step before."""
    for block in doctree.findall(nodes.literal_block):
        longest = max(map(len, block.astext().split("\n")))
        steps = [limit for limit in COLUMNS if longest <= limit] or [COLUMNS[-1]]
        if steps[0] > COLUMNS[0]:
            block["classes"].append(f"columns-{steps[0]}")


def setup(app):
    """Look at each page that was read."""
    app.connect("doctree-read", count_columns)
    return {"parallel_read_safe": True}
