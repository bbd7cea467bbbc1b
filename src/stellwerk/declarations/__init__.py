"""Text -> declarations: strict YAML with places, schemas, include and defaults, decoding, and careful edits.

document.load_document(path, data) -> (Document | None, findings)
compose.load_declarations(tree, cache=None) -> (Declarations | None, findings)
schema.check_release(path, data) -> (Json | None, findings)
edit.set_value / remove_key / add_to_mapping: text -> text
"""
