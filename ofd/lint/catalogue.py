"""All rules by code."""

from ofd.lint import rules_archive, rules_content, rules_readers, rules_structure
from ofd.lint.finding import Rule

__all__ = ["RULES"]

RULES: dict[str, Rule] = {
    rule.code: rule
    for module in (rules_structure, rules_content, rules_readers, rules_archive)
    for rule in vars(module).values()
    if isinstance(rule, Rule)
}
