"""The directive ``losses-table``: the catalogue of losses as a table."""

import inspect

from sphinx.util.docutils import SphinxDirective

from metricnets.losses import CATALOGUE

HEADINGS = ("loss", "needs", "unit norm", "defaults", "when to use it", "source")


def rows():
    """The cells of each loss, in reStructuredText."""
    for name, entry in CATALOGUE.items():
        kind = "class" if isinstance(entry.loss, type) else "func"
        parameters = inspect.signature(entry.loss).parameters.values()
        defaults = [
            f"``{p.name}={p.default!r}``" for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not None
        ]
        yield (
            f":{kind}:`{name} <metricnets.losses.{entry.loss.__name__}>`",
            entry.needs,
            "yes" if entry.unit_norm else "no",
            ", ".join(defaults),
            entry.use,
            entry.source,
        )


class LossesTable(SphinxDirective):
    """A row for each loss."""

    def run(self):
        """Parse the table."""
        options = ":header-rows: 1", ":class: small", ":widths: 16 9 6 22 29 18"
        lines = [".. list-table::", *(f"   {option}" for option in options), ""]
        for row in [HEADINGS, *rows()]:
            lines += [f"   {'  ' if i else '* '}- {cell}" for i, cell in enumerate(row)]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Add the directive."""
    app.add_directive("losses-table", LossesTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
