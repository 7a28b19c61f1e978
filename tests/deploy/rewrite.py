"""Writes what is derived: the golden renders of every profile, and the schema of `settings` (`make chart`).

Read the difference before committing it: the golden files are what a release looks like in a cluster.
"""

import json

from tests.deploy.chart import CHART, GOLDEN, PROFILES, VARIANTS, golden, settings_schema


def main() -> None:
    """Rewrites all of it; files of profiles that are gone are removed."""
    path = CHART / "values.schema.json"
    schema = json.loads(path.read_text())
    schema["properties"]["settings"] = settings_schema()
    path.write_text(json.dumps(schema, indent=2) + "\n")
    for old in GOLDEN.glob("*.yaml"):
        old.unlink()
    for name, values in (PROFILES | VARIANTS).items():
        (GOLDEN / f"{name}.yaml").write_text(golden(values))


if __name__ == "__main__":
    main()
