//! The documents: valid by their specifications, complete, and true.

use std::{collections::BTreeSet, path::PathBuf, process::Output};

use serde_json::Value;

use crate::{
    demonstration::python,
    running::{Answer, Client, Running, folder, root, token},
    story::{Cast, Deployed, feed, found, push},
};

const EXAMPLES: &str = "crates/host/data/examples.json";

async fn outside(program: &str, arguments: &[&str]) -> Output {
    tokio::process::Command::new(python())
        .arg(root().join("tests/outside").join(program))
        .args(arguments)
        .output()
        .await
        .unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The schema of AsyncAPI, which `./test` has from the npm registry where there is npm.
fn asyncapi_schema() -> Option<PathBuf> {
    let place = "target/asyncapi/node_modules/@asyncapi/specs/schemas/3.0.0.json";
    Some(root().join(place)).filter(|it| it.exists())
}

#[tokio::test]
async fn the_documents_are_valid_and_so_is_every_example_in_them() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let schema = asyncapi_schema().map(|it| it.display().to_string());
    let mut arguments = vec!["--url", running.url.as_str()];
    arguments.extend(schema.iter().flat_map(|it| ["--asyncapi-schema", it.as_str()]));
    let said = succeeded(&outside("check_documents.py", &arguments).await);
    assert!(said.contains("OpenAPI 3.1 is valid"), "{said}");
    if schema.is_none() {
        println!("AsyncAPI is held against no schema: ./test has it from npm");
    }
    running.stop().await;
}

/// A trust with sixteen weeks of registers and a signal, and what exchanges the examples with it.
async fn exchanged(more: &[&str]) -> String {
    let (mut deployed, _folder) = crate::webhooks::prepared(vec![]);
    deployed.start().await.unwrap();
    let cast: Cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    push(&deployed, &cast, &feed).await;
    let scopes: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = token(deployed.data(), "vendor", None, &scopes);
    let examples = root().join(EXAMPLES).display().to_string();
    let url = deployed.url(0);
    let mut arguments = vec!["--url", &url, "--token", &token, "--examples", &examples];
    arguments.extend(more);
    let said = succeeded(&outside("exchange_examples.py", &arguments).await);
    Deployed::end(deployed).await;
    said
}

#[tokio::test]
async fn every_example_is_what_happens() {
    let said = exchanged(&[]).await;
    assert!(said.contains("examples are what happens"), "{said}");
}

#[tokio::test]
#[ignore = "writes into the source tree"]
async fn write_examples() {
    println!("{}", exchanged(&["--write"]).await);
}

async fn asked(client: &Client, path: &str, accept: &str) -> Answer {
    client.send("GET", path, &[("accept", accept)], "").await
}

#[tokio::test]
async fn every_reason_has_a_page_that_says_what_to_do() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let nobody = Client::new(&running, None);
    let list = contract::pool().get_enum_by_name("headway.common.v1.ErrorReason").unwrap();
    let reasons = list.values().skip(1).map(|it| rpc::Reason::try_from(it.number()).unwrap());
    for reason in reasons {
        let path = rpc::type_uri(reason);
        let told = asked(&nobody, &path, "application/json").await.done();
        assert_eq!(told["reason"], rpc::name(reason));
        assert_eq!(told["type"], path);
        for part in ["meaning", "remedy"] {
            let said = told[part].as_str().unwrap();
            assert!(said.len() > 10, "{path} has no {part}: `help` in errors.proto says it");
        }
        assert!(!told["example"]["detail"].as_str().unwrap().is_empty(), "{path} has no example");
        let page = asked(&nobody, &path, "text/html,*/*").await;
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        assert!(page.text.contains("What to do") && page.text.contains(rpc::name(reason)));
        let problem = asked(&nobody, &path, "application/problem+json").await;
        assert_eq!(problem.headers["content-type"], "application/problem+json");
        assert_eq!(problem.json()["type"], told["example"]["type"]);
    }
    let all = asked(&nobody, "/errors", "application/json").await.done();
    assert_eq!(all.as_array().unwrap().len(), list.values().count() - 1);
    assert_eq!(nobody.get("/errors/nothing").await.refused(404), "NOT_FOUND");
    running.stop().await;
}

/// What a page links to and loads.
fn links(page: &str) -> BTreeSet<&str> {
    page.split("href=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn the_pages_need_no_script_and_nothing_from_outside_and_lead_nowhere_wrong() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let nobody = Client::new(&running, None);
    let mut to_read = BTreeSet::from(["/docs".to_owned()]);
    let mut read = std::collections::BTreeMap::new();
    while let Some(path) = to_read.pop_first() {
        let answer = nobody.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let media = answer.headers["content-type"].to_str().unwrap().to_owned();
        if media.starts_with("text/html") {
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
            assert!(!policy.contains("script-src"), "{policy}");
            let page = &answer.text;
            for (what, mark) in [
                ("a language", "<html lang=\"en-GB\">"),
                ("a way past the navigation", "class=\"skip\" href=\"#content\""),
                ("one main part", "<main id=\"content\">"),
                ("a heading", "<h1>"),
            ] {
                assert_eq!(page.matches(mark).count(), 1, "{path} has {what}");
            }
            for foul in ["<script", "style=", "src=", "onclick", "<img", "<iframe", "<form"] {
                assert!(!page.contains(foul), "{path} has {foul}");
            }
            for link in links(page) {
                assert!(link.starts_with('/') || link.starts_with('#'), "{path} leads to {link}");
                let target = link.split('#').next().unwrap();
                if !target.is_empty() && !read.contains_key(target) {
                    to_read.insert(target.to_owned());
                }
            }
        }
        read.insert(path, answer.text);
    }
    for (path, page) in read.iter().filter(|it| it.1.starts_with("<!DOCTYPE html>")) {
        for link in links(page).iter().filter_map(|it| it.split_once('#')) {
            let target = if link.0.is_empty() { path.as_str() } else { link.0 };
            let anchor = format!("id=\"{}\"", link.1);
            assert!(read[target].contains(&anchor), "{path} leads to {target}#{}", link.1);
        }
    }
    let operations = rpc::methods().count();
    let shown: usize = read.values().map(|it| it.matches("class=\"operation\"").count()).sum();
    assert!(shown >= operations, "{shown} of {operations} operations are shown");
    running.stop().await;
}

/// Every response that the document gives an RPC has the headers of the limits, and no RPC has a response that is not told.
#[tokio::test]
async fn every_refusal_is_told_by_status_and_reason() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let document = Client::new(&running, None).get("/openapi.json").await.json();
    for method in rpc::methods() {
        let verb = method.verb.as_str().to_lowercase();
        let responses = &document["paths"][&method.path][&verb]["responses"];
        let name = method.descriptor.full_name();
        for status in ["401", "403", "429", "500", "503"] {
            let reasons = &responses[status]["content"]["application/problem+json"]["schema"]["allOf"]
                [1]["properties"]["reason"]["enum"];
            assert!(!reasons.as_array().unwrap().is_empty(), "{name} {status}");
        }
        assert!(responses["default"].is_null(), "{name} tells all it may answer");
        for (status, it) in responses.as_object().unwrap() {
            assert!(!it["headers"]["RateLimit"].is_null(), "{name} {status}");
        }
    }
    let scopes = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
        ["scopes"];
    for scope in rpc::all_scopes().map(rpc::scope_name) {
        let said: &Value = &scopes[&scope];
        assert!(!said.as_str().unwrap().is_empty(), "{scope} is explained");
    }
    running.stop().await;
}
