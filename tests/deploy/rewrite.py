"""Writes what is derived: the golden renders, and the schema of `settings` (`make chart`).

Read the difference before committing it: the golden files are what a release looks like in a cluster.
"""

import json

from tests.deploy.chart import CHART, GOLDEN, PROFILES, VARIANTS, golden, settings_schema


def main() -> None:
    """Rewrites all of it."""
    path = CHART / "values.schema.json"
    schema = json.loads(path.read_text())
    schema["properties"]["settings"] = settings_schema()
    path.write_text(json.dumps(schema, indent=2) + "\n")
    for name, path in GOLDEN.items():
        path.write_text(golden((PROFILES | VARIANTS)[name]))


if __name__ == "__main__":
    main()
