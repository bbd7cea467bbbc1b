"""Values that declarations might hold: right, nearly right, and anything."""

import json

from hypothesis import strategies as st

from stellwerk.declarations.schema import KINDS, schema_text

SCHEMAS = {kind: json.loads(schema_text(kind)) for kind in KINDS}


def described_keys(schema, path=()):
    for key, part in schema.get("properties", {}).items():
        if path and path[-1] == "not":
            continue
        yield (*path, key), part
    for word in ("anyOf", "properties", "$defs"):
        parts = schema.get(word, {})
        for name, part in parts.items() if isinstance(parts, dict) else enumerate(parts):
            yield from described_keys(part, (*path, name))
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from described_keys(schema[word], (*path, word))


WORDS = [
    "sales", "low", "auto", "local", "30m", "2%", "90d", "2026-01-31", "2026-02-31", "", "a/b", "..", "x" * 201, "ä",
    "refs/heads/x", "mean", "estimate", "string", "integer", "[", "a.lock", "a\n",
]  # fmt: skip
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([0.2, 1.0, -0.5, 0.0, 7.5])
    | st.sampled_from(WORDS)
)
NAMES = sorted({path[-1] for kind in KINDS for path, _ in described_keys(SCHEMAS[kind])} | {"churn", "nope", "a b"})
ANYTHING = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
)


@st.composite
def nearly_right(draw, schema, root):  # noqa: PLR0911 - one answer for each kind of schema
    """A value that follows the schema most of the time, so that the deep parts are reached too."""
    if draw(st.integers(0, 11)) == 0:
        return draw(ANYTHING)
    if "$ref" in schema:
        return draw(nearly_right(root["$defs"][schema["$ref"].rpartition("/")[2]], root))
    if "anyOf" in schema:
        return draw(nearly_right(draw(st.sampled_from(schema["anyOf"])), root))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if "examples" in schema and draw(st.booleans()):
        return draw(st.sampled_from(schema["examples"]))
    kind = schema.get("type")
    kind = draw(st.sampled_from(kind)) if isinstance(kind, list) else kind
    if kind == "array":
        return [draw(nearly_right(schema["items"], root)) for _ in range(draw(st.integers(0, 3)))]
    if kind == "object":
        properties = schema.get("properties", {})
        chosen = draw(st.lists(st.sampled_from(sorted(properties)), max_size=4)) if properties else []
        value = {key: draw(nearly_right(properties[key], root)) for key in [*schema.get("required", ()), *chosen]}
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            value |= {
                name: draw(nearly_right(others, root)) for name in draw(st.lists(st.sampled_from(WORDS), max_size=2))
            }
        return value
    return draw(ATOMS)
