"""An OAuth client that is not ours (authlib) and gRPC in Python go the whole way of a vendor: metadata, a token by
secret and one by a key of the vendor's own, a push, another token, and its revocation.

Takes the JSON line of `headway demo --json` on standard input.
"""

import json
import sys
import time

import grpc
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

demo = json.loads(sys.stdin.readline())
url, trust, vendor, admin = demo["url"], demo["trustId"], demo["vendor"], demo["admin"]
metadata = requests.get(f"{url}/.well-known/oauth-authorization-server", timeout=30).json()
assert metadata["issuer"] == url, metadata
assert {"client_secret_basic", "private_key_jwt"} <= set(metadata["token_endpoint_auth_methods_supported"])
endpoint = metadata["token_endpoint"]

# By secret, and the token is what it says: a JWT (RFC 9068) that the published keys verify.
by_secret = OAuth2Session(vendor["clientId"], vendor["clientSecret"], token_endpoint_auth_method="client_secret_basic")
token = by_secret.fetch_token(endpoint, grant_type="client_credentials")
assert token["token_type"] == "Bearer" and token["expires_in"] <= 3600, token
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
claims = jwt.decode(token["access_token"], keys)
claims.validate()
assert claims.header["typ"] == "at+jwt" and claims.header["kid"], claims.header
assert claims["client_id"] == vendor["clientId"] and claims["jti"] and claims["trust"] == trust, claims

# Wrong in the ways of RFC 6749, 5.2.
wrong = requests.post(endpoint, auth=(vendor["clientId"], "wrong"), data={"grant_type": "client_credentials"}, timeout=30)
assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client"), wrong.text
more = {"grant_type": "client_credentials", "scope": "registry:write"}
more = requests.post(endpoint, auth=(vendor["clientId"], vendor["clientSecret"]), data=more, timeout=30)
assert (more.status_code, more.json()["error"]) == (400, "invalid_scope"), more.text

# By a key of the vendor's own: the trust's administrators make the client, register its key, and grant it something.
as_admin = OAuth2Session(admin["clientId"], admin["clientSecret"], token_endpoint_auth_method="client_secret_basic")
as_admin.fetch_token(endpoint, grant_type="client_credentials")
client = as_admin.post(f"{url}/v1/clients", json={"name": "By key"}).json()
key = JsonWebKey.generate_key("RSA", 2048, is_private=True, options={"kid": "2026-1"})
jwks = json.dumps({"keys": [key.as_dict(is_private=False, kid="2026-1")]})
place = f"{url}/v1/clients/{client['clientId']}"
set_keys = as_admin.put(f"{place}/keys", json={"jwks": jwks}, headers={"if-match": f'"{client["version"]}"'})
assert set_keys.ok and set_keys.json()["keys"][0]["algorithm"] == "RS256", set_keys.text
grant = {"clientId": client["clientId"], "scopes": ["SCOPE_REGISTRY_READ"], "urns": [demo["urn"]], "purpose": "names of schools"}
grant = as_admin.post(f"{url}/v1/trusts/{trust}/grants", json=grant).json()
by_key = OAuth2Session(client["clientId"], key.as_pem(is_private=True), token_endpoint_auth_method="private_key_jwt")
by_key.register_client_auth_method(PrivateKeyJWT(endpoint, headers={"kid": "2026-1"}, alg="RS256"))
second = by_key.fetch_token(endpoint, grant_type="client_credentials", resource=f"urn:headway:trust:{trust}")
schools = by_key.get(f"{url}/v1/trusts/{trust}/schools").json()["schools"]
assert [it["urn"] for it in schools] == [demo["urn"]], "only the school that was granted"

# An assertion works once.
now = int(time.time())
assertion = {"iss": client["clientId"], "sub": client["clientId"], "aud": endpoint, "iat": now, "exp": now + 60, "jti": "only-once"}
assertion = jwt.encode({"alg": "RS256", "kid": "2026-1"}, assertion, key).decode()
form = {
    "grant_type": "client_credentials", "client_assertion": assertion,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
assert requests.post(endpoint, data=form, timeout=30).ok
replayed = requests.post(endpoint, data=form, timeout=30)
assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_client"), replayed.text

# The vendor's token opens gRPC as well.
channel = grpc.insecure_channel(url.removeprefix("http://"))
pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
SERVICE = "headway.intelligence.v1.IntelligenceService"


def push(token, records):
    method = pool.FindServiceByName(SERVICE).FindMethodByName("PushRecords")
    ask, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    stub = channel.stream_unary(f"/{SERVICE}/PushRecords", ask.SerializeToString, answer.FromString)
    sent = [{"feedId": demo["feedId"]}, {"records": records}]
    sent = iter([json_format.ParseDict(it, ask()) for it in sent])
    return json_format.MessageToDict(stub(sent, metadata=[("authorization", f"Bearer {token}")], timeout=30))


enrolment = {"urn": demo["urn"], "pupil": "oauth-1", "yearGroup": 4, "startsOn": "2026-09-01"}
records = [{"externalId": "e1", "enrolment": enrolment}]
batch = push(token["access_token"], records)
assert batch["accepted"] == 1, batch

# A token that is revoked is refused within a minute.
by_secret.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
started = time.time()
while True:
    try:
        push(token["access_token"], records)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        break
    assert time.time() - started < 60, "a revoked token went on working"
    time.sleep(1)
print(f"the OAuth client finished the flow; a revoked token was refused after {time.time() - started:.0f} s")
