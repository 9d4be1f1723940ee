"""The sections of a report, one module each: what a section says, and the pictures that stand in it.

A section is a function from `Material` to `Section`. Its template has the name of the section
(`templates/<section>.html.j2`), its rules stand in `<section>.css`, and what it needs of script in `<section>.js`.
"""
