"""What a PromQL expression names, read as far as our own expressions go."""

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"\{([^}]*)\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"}


def metrics_of(expression: str) -> set[str]:
    """The metrics: names that are neither functions, labels nor words of the language."""
    text = _STRING.sub('""', expression)
    text = _RANGE.sub("", _MATCHERS.sub(" ", _GROUPING.sub(" ", text)))
    found = set()
    for match in _NAME.finditer(text):
        before = text[: match.start()]
        is_number = before[-1:].isdigit() or before[-1:] == "."
        is_function = text[match.end() :].lstrip().startswith("(")
        if not (is_number or is_function or match[0] in _WORDS):
            found.add(match[0])
    return found


def labels_of(expression: str) -> set[str]:
    """The labels that are grouped by or matched."""
    text = _STRING.sub('""', expression)
    found = {name for _, names in _GROUPING.findall(text) for name in _NAME.findall(names)}
    for matchers in _MATCHERS.findall(text):
        found |= set(_NAME.findall(matchers))
    return found
