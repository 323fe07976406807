//! Every way in, with what it takes to go it: generated from the contract, so that nobody can forget one.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path, process::Command};

use rpc::Method;

use crate::running::root;

const PLACE: &str = "docs/routes.md";

/// What is served beside the contract's RPCs: with which scope, if with any, and why it may be so.
const BESIDE: &[(&str, &str, &str)] = &[
    (
        "/",
        "open",
        "says that Headway runs; a trust's board where an operator named one under `[board]`",
    ),
    ("/.well-known/jwks.json", "open", "the public keys by which tokens are verified"),
    ("/.well-known/oauth-authorization-server", "open", "how clients get tokens (RFC 8414)"),
    ("/asyncapi.json", "open", "the contract of events, which is public"),
    ("/board", "open", "the part of the board that changes, where there is one"),
    ("/board.css", "open", "the board's style"),
    ("/board.js", "open", "the board's script"),
    (
        "/demo-issuer/.well-known/openid-configuration",
        "open",
        "the demonstration's identity provider, only where the settings ask for it",
    ),
    ("/demo-issuer/authorize", "open", "its page on which anybody signs in as anybody"),
    ("/demo-issuer/jwks.json", "open", "its public keys"),
    ("/demo-issuer/token", "code", "exchanges its codes for tokens"),
    ("/docs", "open", "the contract as pages, which is public"),
    ("/docs.css", "open", "the pages' style"),
    ("/docs/{page}", "open", "one of those pages"),
    ("/errors", "open", "every reason of an error"),
    ("/errors/{reason}", "open", "what a reason of an error means"),
    ("/live", "open", "tells the board that something happened, and not what"),
    ("/livez", "open", "whether the process runs"),
    ("/metrics", "metrics:read", "figures of this process, by route and never by path"),
    ("/oauth2/revoke", "client", "takes a token of the asking client back (RFC 7009)"),
    ("/oauth2/token", "client", "gives tokens to clients that prove themselves (RFC 6749)"),
    ("/openapi.json", "open", "the contract, which is public"),
    ("/readyz", "open", "whether the databases answer"),
];

/// gRPC services beside the contract's.
const SERVICES: &[(&str, &str)] = &[
    ("grpc.health.v1.Health", "whether the process serves"),
    ("grpc.reflection.v1.ServerReflection", "the contract, which is public"),
    ("grpc.reflection.v1alpha.ServerReflection", "the same for older clients"),
];

fn table() -> String {
    let mut text = String::from(
        "# Every way in\n\n\
         Made from the contract by a test (`cargo test -p journeys --test it write_routes -- --ignored`); another fails when it \
         is out of date, or when something is served that is not in it. An RPC without a scope does not compile into a \
         door at all. What a scope applies to (trust, schools, kinds of record) is in [access](access.md) where that is \
         told; here is which scope opens what. Refusals of each are tested with every kind of bad token \
         (`tests/it/adversary`).\n\n\
         | RPC | REST | scope | to a grant of some schools |\n| --- | --- | --- | --- |\n",
    );
    let mut rpcs: Vec<_> = rpc::methods().collect();
    rpcs.sort_by_key(|it| it.descriptor.full_name().to_owned());
    for method in rpcs {
        let name = method.descriptor.full_name().trim_start_matches("headway.").to_owned();
        let scope = rpc::scope_name(method.scope);
        let division = match method.division {
            rpc::Division::Unspecified => "refused",
            rpc::Division::Schools => "of its schools",
            rpc::Division::None => "the same",
        };
        let Method { verb, path, .. } = method;
        writeln!(text, "| {name} | `{verb} {path}` | `{scope}` | {division} |").unwrap();
    }
    text.push_str(
        "\n## Beside the contract\n\n| path | scope | what it is |\n| --- | --- | --- |\n",
    );
    for (path, scope, why) in BESIDE {
        writeln!(text, "| `{path}` | {scope} | {why} |").unwrap();
    }
    text.push_str("\n| gRPC service | scope | what it is |\n| --- | --- | --- |\n");
    for (service, why) in SERVICES {
        writeln!(text, "| {service} | open | {why} |").unwrap();
    }
    text
}

#[test]
#[ignore = "writes docs/routes.md"]
fn write_routes() {
    fs::write(root().join(PLACE), table()).unwrap();
}

/// threat: T-FORGOTTEN-DOOR
#[test]
fn the_table_of_routes_is_current() {
    let written = fs::read_to_string(root().join(PLACE)).unwrap_or_default();
    assert!(
        written == table(),
        "{PLACE} is out of date: cargo test -p journeys --test it write_routes -- --ignored"
    );
}

fn sources() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "crates", "services"])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let code =
        |it: &&str| it.contains("/src/") && Path::new(it).extension().is_some_and(|it| it == "rs");
    let files = listed.lines().filter(code);
    files
        .filter_map(|it| Some((it.to_owned(), fs::read_to_string(root().join(it)).ok()?)))
        .map(|(file, text)| (file, text.split("#[cfg(test)]").next().unwrap_or("").to_owned()))
        .collect()
}

/// What is served is written with `.route(`, and by a path of the contract or one that the table has.
/// threat: T-FORGOTTEN-DOOR
#[test]
fn nothing_is_served_that_the_table_does_not_have() {
    let mut known: BTreeMap<&str, bool> = BESIDE.iter().map(|it| (it.0, false)).collect();
    let mut strange = Vec::new();
    for (file, text) in sources() {
        // Of the crates that put routers together.
        if !text.contains("axum") || file.starts_with("crates/testkit") {
            continue;
        }
        for other in [".route_service(", ".nest(", ".nest_service(", ".fallback_service("] {
            if text.contains(other) {
                strange.push(format!("{file}: {other} hides paths from this test: use .route("));
            }
        }
        for call in text.split(".route(").skip(1) {
            let path = call.trim_start().trim_start_matches("//").trim_start();
            if path.starts_with("&method.path") || path.starts_with("&$crate") {
                continue;
            }
            let literal = path.strip_prefix('"').and_then(|it| it.split('"').next());
            match literal.and_then(|it| known.get_mut(it)) {
                Some(found) => *found = true,
                None => {
                    strange.push(format!("{file}: .route({}", path.lines().next().unwrap_or("")));
                }
            }
        }
    }
    assert_eq!(
        strange,
        Vec::<String>::new(),
        "routes that are in no table: add them to BESIDE, with why"
    );
    let gone: Vec<_> = known.into_iter().filter(|it| !it.1).map(|it| it.0).collect();
    assert_eq!(gone, Vec::<&str>::new(), "BESIDE names paths that are not served");
    let served: Vec<String> =
        contract::pool().services().map(|it| it.full_name().to_owned()).collect();
    assert!(served.iter().all(|it| it.starts_with("headway.")), "{served:?}");
}
