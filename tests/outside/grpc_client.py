"""A gRPC client that knows nothing of Headway but what reflection tells it: the flow a vendor goes through.

Takes the JSON line of `headway demo --json` on standard input.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

demo = json.loads(sys.stdin.readline())
channel = grpc.insecure_channel(demo["url"].removeprefix("http://"))
pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def call(service, rpc, request, token=None, stream=False):
    """One call; a list of requests for a client stream. Answers come as the dict of their canonical JSON."""
    method = pool.FindServiceByName(service).FindMethodByName(rpc)
    ask, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    make = channel.stream_unary if stream else channel.unary_unary
    stub = make(f"/{service}/{rpc}", ask.SerializeToString, answer.FromString)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    parse = lambda it: json_format.ParseDict(it, ask())
    sent = iter([parse(it) for it in request]) if stream else parse(request)
    return json_format.MessageToDict(stub(sent, metadata=metadata, timeout=30))


def refused(code, *arguments, **named):
    try:
        call(*arguments, **named)
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error
    raise AssertionError(f"{arguments} was not refused")


REGISTRY = "headway.registry.v1.RegistryService"
INTELLIGENCE = "headway.intelligence.v1.IntelligenceService"
vendor, admin = demo["vendor"]["token"], demo["admin"]["token"]
trust = {"trustId": demo["trustId"]}

assert call("grpc.health.v1.Health", "Check", {})["status"] == "SERVING"
refused(grpc.StatusCode.UNAUTHENTICATED, REGISTRY, "GetTrust", trust)
refused(grpc.StatusCode.PERMISSION_DENIED, REGISTRY, "GetTrust", trust, token=vendor)
assert call(REGISTRY, "GetTrust", trust, token=admin)["trustId"] == demo["trustId"]
stranger = {"trustId": "00000000-0000-7000-8000-000000000000"}
refused(grpc.StatusCode.NOT_FOUND, REGISTRY, "GetTrust", stranger, token=admin)

record = lambda external_id, kind, body: {"externalId": external_id, kind: {"urn": demo["urn"], **body}}
enrolment = record("e1", "enrolment", {"pupil": "python-1", "yearGroup": 4, "startsOn": "2026-09-01"})
marks = [{"pupil": "python-1", "code": "/"}]
register = record("r1", "attendanceRegister", {"date": "2026-10-05", "session": "AM", "marks": marks})
push = [{"feedId": demo["feedId"]}, {"records": [enrolment]}, {"records": [register]}]
batch = call(INTELLIGENCE, "PushRecords", push, token=vendor, stream=True)
assert batch["state"] == "BATCH_STATE_APPLIED" and batch["records"] == 2 and batch["accepted"] == 2, batch
again = call(INTELLIGENCE, "PushRecords", push, token=vendor, stream=True)
assert again["unchanged"] == 2, again

bad = record("r2", "attendanceRegister", {"date": "2026-10-05", "session": "AM", "marks": [{"pupil": "python-1", "code": "!"}]})
batch = call(INTELLIGENCE, "PushRecords", [{"feedId": demo["feedId"], "records": [bad]}], token=vendor, stream=True)
assert batch["rejected"] == 1, batch
results = call(INTELLIGENCE, "ListBatchResults", {"batchId": batch["batchId"]}, token=vendor)["results"]
problem = results[0]["problems"][0]
assert problem["pointer"] == "/attendanceRegister/marks/0/code", problem
assert problem["reason"] == "ERROR_REASON_CODE_UNKNOWN", problem

standings = call(INTELLIGENCE, "ListStandings", trust, token=admin)["standings"]
assert any(it["measure"] == "attendance" for it in standings)
events = call("headway.journal.v1.JournalService", "ListEvents", {"service": "registry"}, token=admin)["events"]
assert [int(it["position"]) for it in events] == list(range(1, len(events) + 1))
print("the Python client finished the flow")
