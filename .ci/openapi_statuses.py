"""Which operations of a document never succeeded in a run of .ci/openapi: `openapi_statuses.py DOCUMENT STATUSES`.

Fails if it is more than what is known and named here: a run that only meets refusals has looked at no record.
"""

import json
import sys

# Each with the reason why a success is not to be had by chance.
HARD = {
    ("POST", "/auth/token"): "the older dialect is off until a setting turns it on",
    ("POST", "/uploads/{key}"): "the form has to be the one that was prepared for this upload",
}

document, statuses = sys.argv[1:]
wanted = {
    (method.upper(), path)
    for path, operations in json.load(open(document, encoding="utf-8"))["paths"].items()
    for method in operations
}
seen = [line.split() for line in open(statuses, encoding="utf-8")]
succeeded = {(method, path) for method, path, status in seen if status.startswith("2")}
never = sorted(wanted - succeeded - set(HARD))
print(f"{len(seen)} requests; succeeded at least once: {len(wanted & succeeded)} of {len(wanted)} operations")
for method, path in never:
    answers = sorted({status for m, p, status in seen if (m, p) == (method, path)})
    print(f"never succeeded: {method} {path} (answers: {' '.join(answers) or 'none'})")
sys.exit(1 if never else 0)
