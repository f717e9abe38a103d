"""Hooks of schemathesis for .ci/openapi: what a document cannot say.

Credentials, and names of things that exist: a request with a made-up number is answered with "not found" and shows
nothing of a record. Half of the made-up ones are kept, so that "not found" is seen too.
"""

import base64
import os
import uuid
from urllib.parse import unquote

import requests
import schemathesis

SERVICE = os.environ["OPENAPI_SERVICE"]
BASE = os.environ["OPENAPI_BASE"]
TOKEN = os.environ["OPENAPI_TOKEN"]
CONTROL = os.environ["OPENAPI_CONTROL"]
JSON = {"Content-Type": "application/json"}


def ask(method, path, **more):
    answer = requests.request(method, BASE + path, timeout=30, **more)
    if answer.status_code >= 300:
        raise SystemExit(f"{SERVICE}: {method} {path}: {answer.status_code} {answer.text[:500]}")
    return answer.json()


def control(method, path, **more):
    answer = requests.request(method, CONTROL + path, timeout=30, **more)
    answer.raise_for_status()
    return answer.json()


class Service:
    """Credentials of one service, and what exists there by the first part of a path."""

    known = {}

    def __init__(self):
        self.turn = 0

    def prepare(self):
        pass

    def authorise(self, case):
        case.headers["Authorization"] = f"Bearer {TOKEN}"

    def name_known(self, case):
        self.turn += 1
        if self.turn % 2:
            for name in case.path_parameters or {}:
                known = self.known_for(case.operation.path, name)
                # What may be deleted is the last one only: the others are still needed.
                last = case.method.upper() == "DELETE"
                if known:
                    case.path_parameters[name] = known[-1] if last else known[self.turn // 2 % len(known)]

    def known_for(self, path, name):
        return next((names for start, names in self.known.items() if path.startswith(start)), None)

    def finish(self, case):
        pass


class Fiscal(Service):
    def prepare(self):
        control("POST", "/_sandbox/fiscal/settings", json={"probes": True})
        document = requests.get(CONTROL + "/_sandbox/openapi/fiscal-printer.json", timeout=30).json()
        content = document["paths"]["/facturacion"]["post"]["requestBody"]["content"]["application/json"]
        # One number before the example's, so that the example is the next one.
        body = {**content["examples"]["vendor sample"]["value"], "numerointerno": "00000041"}
        self.rif = body["rif"]
        issued = ask("POST", "/facturacion", headers={"Authorization": f"Bearer {TOKEN}"}, json=body)
        self.number = issued["data"]["numerodocumento"]

    def finish(self, case):
        # An unknown number or RIF crashes the vendor's server (contract 4.2): there is no answer to look at.
        if case.operation.path == "/email":
            body = case.body if isinstance(case.body, dict) else {}
            case.body = {**body, "rif": self.rif, "numerodocumento": self.number}
            case.media_type = "application/json"
            case.headers["Content-Type"] = "application/json"


class Legale(Service):
    def prepare(self):
        control("POST", "/_sandbox/legale/settings", json={"contact_by_id": True})
        paper = {"file_name": "a.pdf", "description": "A", "file": "JVBERi0xLjQK", "folder": "Area/Tipo"}
        key = {"Legale-Api-Key": TOKEN}
        papers = [ask("POST", "/api/document/create", headers=key, json=paper)["data"] for _ in range(5)]
        people = [self.contact(key, number) for number in range(4)]
        folders = [row["id"] for row in ask("GET", "/api/folder", headers=key)["data"]]
        files = [unquote(row["document"].split("/media/")[1]) for row in papers]
        self.known = {
            "/api/v2/contact/": people,
            "/api/folder/": folders,
            "/api/template/": ["1", "2"],
            "/api/v2/smart-document/": ["1", "2"],
            "/media/": files,
            "/api/document/": [row["GUID"] for row in papers],
            "/api/sign/s": [row["GUID"] for row in papers],
            "/api/sign/download/": [self.signed(key, papers[0]["GUID"])],
            "/api/sign/approve/": [self.started(key, row["GUID"], "approve", "approve_api") for row in papers[1:4]],
        }

    def started(self, key, guid, flow, method):
        signer = {"sign_flow": flow, "sign_method": method, "email": "ana@example.com", "firstname": "Ana",
                  "lastname1": "Prueba", "skip_email": True}
        body = {"flow_type": "priority", "shared_list": [], "signer_list": [signer]}
        return ask("POST", f"/api/sign/start/{guid}", headers=key, json=body)["data"][0].rsplit("/", 1)[1]

    def signed(self, key, guid):
        self.started(key, guid, "other", "no_sms")
        control("POST", f"/_sandbox/legale/documents/{guid}/signers/1/sign")
        return guid

    def contact(self, key, number):
        person = {"email": f"p{number}@example.com", "firstname": "Ana", "lastname1": "Prueba"}
        made = ask("POST", "/api/v2/contacts/", headers=key, json=person)
        return made.get("data", made)["id"]

    def authorise(self, case):
        if "/legale/" in case.operation.path or "/emailPin/" in case.operation.path or "/oneshot/" in case.operation.path:
            case.headers["Authorization"] = "Bearer sandbox-legacy-token"
        else:
            case.headers["Legale-Api-Key"] = TOKEN


class Sister(Service):
    """Sugester and BitFactura: the token is in the query, or in the body where there is one."""

    root = ""
    kinds = {}

    def prepare(self):
        self.known = {f"{self.root}/{path}": self.made(path, kind) for path, kind in self.kinds.items()}

    def made(self, path, kind):
        key, record = kind
        body = {"api_token": TOKEN, key: record}
        return [ask("POST", f"{self.root}/{path}.json", json=self.different(body, key, n))["id"] for n in range(4)]

    def different(self, body, key, number):
        named = {**body[key], "name": f"{body[key].get('name', 'N')} {number}"}
        return {**body, key: named}

    def authorise(self, case):
        if isinstance(case.body, dict):
            case.body["api_token"] = TOKEN
        else:
            case.query = {**(case.query or {}), "api_token": TOKEN}


class Sugester(Sister):
    root = "/app"
    kinds = {
        "clients": ("client", {"name": "C", "company": True}),
        "contacts": ("contact", {"first_name": "A", "last_name": "B"}),
        "deals": ("deal", {"name": "D", "price": 1.5}),
        "posts": ("post", {"title": "P"}),
        "contact_lists": ("contact_list", {"name": "L"}),
        "statuses": ("status", {"name": "S", "code": "s", "kind": "deal"}),
    }


class BitFactura(Sister):
    kinds = {
        "clients": ("client", {"name": "C", "company": True}),
        "webhooks": ("webhook", {"kind": "client:update", "url": "http://127.0.0.1:9/", "api_token": "t", "active": True}),
        "products": ("product", {"name": "P"}),
        "price_lists": ("price_list", {"name": "P"}),
        "warehouse_documents": ("warehouse_document", {"name": "P"}),
        "warehouses": ("warehouse", {"name": "P"}),
        "categories": ("category", {"name": "P"}),
        "departments": ("department", {"name": "P"}),
        "recurrings": ("recurring", {"name": "P"}),
        "banking/payments": ("banking_payment", {"name": "P"}),
    }

    def prepare(self):
        control("POST", "/_sandbox/bitfactura/seed", json={"clients": 5, "invoices": 8, "seed": 7})
        super().prepare()
        rows = ask("GET", "/invoices.json", params={"api_token": TOKEN, "period": "all"})
        self.known["/invoices/"] = [row["id"] for row in rows]
        self.known["/invoice/"] = [row["token"] for row in rows] + [row["token"] + ".pdf" for row in rows]

    def finish(self, case):
        if case.operation.path == "/invoices/cancel.json" and isinstance(case.body, dict):
            case.body["cancel_invoice_id"] = self.known["/invoices/"][0]


class GeoSite(Service):
    def prepare(self):
        control("POST", "/_sandbox/geosite/network", json={"elements": 200, "seed": 7})
        user, password = TOKEN.split(":")
        tokens = ask("POST", "/auth/generatetoken", json={"username": user, "password": password})
        self.token, self.refresh = tokens["token"], tokens["refreshToken"]

    def authorise(self, case):
        token = self.refresh if case.operation.path == "/auth/refresh" else self.token
        case.headers["Authorization"] = f"Digicade-Rest-API:{token}"

    def finish(self, case):
        if case.operation.path == "/auth/refresh":
            # What was renewed may be void now.
            self.prepare()
            self.authorise(case)


class HubSoft(Service):
    def prepare(self):
        state = control("GET", "/_sandbox/hubsoft/state")
        login = {key: state[key] for key in ("client_id", "client_secret", "username", "password")}
        self.token = ask("POST", "/oauth/token", json={"grant_type": "password", **login})["access_token"]

    def authorise(self, case):
        case.headers["Authorization"] = f"Bearer {self.token}"


class Apiges(Service):
    def prepare(self):
        self.basic = "Basic " + base64.b64encode(TOKEN.encode()).decode()
        self.token = ask("GET", "/login", headers={"Authorization": self.basic})["data"]["token"]
        bearer = {"Authorization": f"Bearer {self.token}"}
        made = [ask("POST", "/facturas/recibidas", headers=bearer, json={"numero": f"F-{n}", "lineas": [{}] * 4}) for n in range(3)]
        self.known = {
            "/contactos/": [1001, 1002, 1003, 1004],
            "/expedientes/": [100001, 100002, 100003],
            "/facturas/": [row["data"] for row in made],
        }

    def known_for(self, path, name):
        # Acts, tasks and lines count from 1 below what they belong to.
        known = {"id": super().known_for(path, name), "idLinea": [1, 2, 3, 4]}
        return known.get(name, [1])

    def authorise(self, case):
        login = case.operation.path == "/login"
        case.headers["Authorization"] = self.basic if login else f"Bearer {self.token}"


class WebSync(Service):
    message = "22222222-1111-4111-8111-111111111111"
    known = {"tenant": ["demo"], "kind": ["C"], "code": ["4879"], "n": [1], "caseId": [3992], "annotationId": [1],
             "documentId": [1], "messageId": [message], "loadId": ["11111111-1111-4111-8111-111111111111"]}
    # What ends a thing has one of its own: the code of its contact, and the last digits of its load.
    own = {"rename": "4881", "suspend": "4882", "revoke": "4883", "{n}": "4884", "commit": "4885", "close": "4886"}
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    def prepare(self):
        for code in ["4879", *self.own.values()]:
            grant = {"contact": {"kind": "C", "code": code}, "contactId": int(code), "state": "active", "version": 1,
                     "scope": {"type": "own"}, "show": [], "excludedModalities": [], "admin": None,
                     "closedCases": "withdraw", "lang": "es"}
            self.tell("PUT", f"grants/C/{code}", grant, {"If-None-Match": "*"})
        for step in ("{n}", "commit", "close"):
            self.open(step)

    def open(self, step):
        code, load = self.own[step], self.load_of(step)
        self.tell("POST", f"contacts/C/{code}/loads", {"loadId": load, "baseSequence": 1})
        below = f"loads/{load}/contacts/C/{code}"
        if step != "{n}":
            self.tell("PUT", f"{below}/batches/1", {"items": [], "digest": self.digest})
        if step == "close":
            body = {"batches": 1, "count": 0, "digest": self.digest, "complete": True, "allowWithdrawals": 0}
            self.tell("POST", f"{below}/commit", body)

    def load_of(self, step):
        return f"11111111-1111-4111-8111-11111111{self.own[step]}"

    def tell(self, method, path, body, headers=None):
        own = {"Authorization": f"Bearer {TOKEN}", "X-Websync-Protocol": "1", "Idempotency-Key": str(uuid.uuid4())}
        ask(method, f"/websync/v1/demo/{path}", headers={**own, **(headers or {})}, json=body)

    def step(self, case):
        path = case.operation.path
        revokes = case.method.upper() == "DELETE" and path.endswith("{code}")
        return "revoke" if revokes else path.rsplit("/", 1)[1]

    def name_known(self, case):
        super().name_known(case)
        step = self.step(case)
        if self.turn % 2 and step in self.own:
            own = {"code": self.own[step], "loadId": self.load_of(step)}
            case.path_parameters.update({name: own[name] for name in own if name in case.path_parameters})

    def authorise(self, case):
        super().authorise(case)
        case.path_parameters["tenant"] = "demo"
        # Whoever repeats a key with another body is refused: hardly anything else would be seen.
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())

    def finish(self, case):
        # A grant is revoked at its version, which is the first.
        if self.step(case) == "revoke" and case.query:
            case.query["version"] = 1
        if self.turn % 2 == 0 or not isinstance(case.body, dict):
            return
        if self.step(case) == "rename" and "contactId" in case.body:
            case.body["contactId"] = int(self.own["rename"])
        if case.method.upper() == "PUT" and case.operation.path.endswith("/grants/{kind}/{code}"):
            # A new one each time, whose body says the same as its path.
            case.path_parameters["code"] = f"5{self.turn}"
            case.body["contact"] = {"kind": case.path_parameters["kind"], "code": f"5{self.turn}"}
            case.headers["If-None-Match"] = "*"
            case.headers.pop("If-Match", None)


SERVICES = {
    "fiscal-printer": Fiscal,
    "legale": Legale,
    "sugester": Sugester,
    "bitfactura": BitFactura,
    "geosite": GeoSite,
    "hubsoft": HubSoft,
    "apiges": Apiges,
    "websync": WebSync,
}
SUBJECT = SERVICES[SERVICE]()
SUBJECT.prepare()
open(os.environ["OPENAPI_STATUSES"], "w", encoding="utf-8").close()


@schemathesis.hook
def before_call(context, case, **kwargs):
    if not isinstance(case.path_parameters, dict):
        case.path_parameters = {}
    SUBJECT.name_known(case)
    SUBJECT.authorise(case)
    SUBJECT.finish(case)


@schemathesis.hook
def after_call(context, case, response):
    with open(os.environ["OPENAPI_STATUSES"], "a", encoding="utf-8") as seen:
        print(case.method.upper(), case.operation.path, response.status_code, file=seen)
