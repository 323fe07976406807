//! What browsers are told: to load nothing, to frame nothing, and to let nobody else's page read an answer.

use crate::running::{Client, Running, folder};

const EVERYWHERE: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// threat: T-FRAMED, T-SNIFFED
#[tokio::test]
async fn every_answer_guards_itself_in_a_browser() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let nobody = Client::new(&running, None);
    for path in
        ["/", "/livez", "/openapi.json", "/errors/not-found", "/v1/trusts", "/nowhere", "/metrics"]
    {
        let answer = nobody.get(path).await;
        for (name, value) in EVERYWHERE {
            assert_eq!(answer.headers[*name], value, "{path}: {name}");
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert!(
            answer.headers["permissions-policy"].to_str().unwrap().contains("camera=()"),
            "{path}"
        );
        assert!(
            !answer.headers.contains_key("strict-transport-security"),
            "only TLS may promise TLS"
        );
        assert!(
            !answer.headers.contains_key("set-cookie"),
            "no cookies, so nothing to forge a request with"
        );
        assert!(!answer.headers.contains_key("server"), "{path}");
    }
    running.stop().await;
}

/// There is no CORS: no page of another origin reads an answer, whatever it asks with.
/// threat: T-CROSS-ORIGIN
#[tokio::test]
async fn no_other_origin_is_let_read() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let page = Client::new(&running, None);
    let origin = ("origin", "https://attacker.example");
    let asks = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
        ("access-control-request-private-network", "true"),
    ];
    for path in ["/v1/trusts", "/openapi.json", "/livez", "/"] {
        for (method, headers) in [("OPTIONS", &asks[..]), ("GET", &[origin][..])] {
            let answer = page.send(method, path, headers, "").await;
            let allowed: Vec<_> = answer
                .headers
                .keys()
                .filter(|it| it.as_str().starts_with("access-control-"))
                .collect();
            assert!(allowed.is_empty(), "{method} {path}: {allowed:?}");
            assert!(method == "GET" || answer.status == 405, "{method} {path}: {answer:?}");
        }
    }
    running.stop().await;
}
