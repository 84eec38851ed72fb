"""The executor's side of governance: what a service needs to act only on what was approved.

Usable by anybody's service. Imports the standard library, `fastjsonschema`, `rfc8785`, `pyjwt`,
`cryptography`, `sqlalchemy` and the stubs of `chenu.governance.v1`, and nothing else of
this project.
"""
