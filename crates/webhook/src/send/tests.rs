use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rpc::Reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn message() -> Message {
    Message {
        id: "m".to_owned(),
        at: rpc::now(),
        body: Bytes::from_static(b"{}"),
        signature: "v1,x".to_owned(),
    }
}

/// Gives these answers to a name, one set after the other, and counts how often it was asked.
fn names(answers: Vec<Vec<&'static str>>) -> (LookUp, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let look_up: LookUp = Arc::new(move |_| {
        let at = count.fetch_add(1, Relaxed).min(answers.len() - 1);
        let found = answers[at].iter().map(|it| it.parse().unwrap()).collect();
        async { Ok(found) }.boxed()
    });
    (look_up, asked)
}

/// A target on this machine that gives one answer to each request, and how many came.
async fn target(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let came = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            came.fetch_add(1, Relaxed);
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap();
                assert!(read > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    (port, count)
}

/// threat: T-SSRF
#[tokio::test]
async fn one_private_address_among_public_ones_is_enough_to_refuse() {
    for addresses in [vec!["127.0.0.1"], vec!["1.1.1.1", "10.0.0.1"], vec!["::ffff:8.8.8.8"]] {
        let (look_up, _) = names(vec![addresses]);
        let sender = Sender::asking(Policy::Public, look_up).unwrap();
        let fault = sender.admit("https://hooks.example.org/").await.unwrap_err();
        assert_eq!(fault.reason, Reason::WebhookTargetRefused);
        assert!(!fault.detail.contains("127") && !fault.detail.contains("10."), "{fault}");
    }
    let (look_up, _) = names(vec![vec!["1.1.1.1"]]);
    let sender = Sender::asking(Policy::Public, look_up).unwrap();
    assert!(sender.admit("https://hooks.example.org/").await.is_ok());
}

/// The name is public when it is registered, and ours when it is called.
/// threat: T-REBIND
#[tokio::test]
async fn a_name_that_changes_its_mind_is_not_connected_to() {
    let (port, came) = target("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (look_up, asked) = names(vec![vec!["1.1.1.1"], vec!["127.0.0.1"]]);
    let sender = Sender::asking(Policy::Public, look_up).unwrap();
    let url = format!("https://hooks.example.org:{port}/");
    assert!(sender.admit(&url).await.is_ok());
    let outcome = sender.send(&url, message()).await;
    assert_eq!(outcome.failure, "its host leads to an address that is not public");
    assert_eq!((asked.load(Relaxed), came.load(Relaxed)), (2, 0), "asked again, never connected");
}

/// What is connected to is what was checked, and nobody asks a third time in between.
/// threat: T-REBIND
#[tokio::test]
async fn one_look_up_serves_check_and_connection() {
    let (port, came) = target("HTTP/1.1 204 No Content\r\n\r\n").await;
    let (look_up, asked) = names(vec![vec!["127.0.0.1"], vec!["192.0.2.1"]]);
    let sender = Sender::asking(Policy::Anywhere, look_up).unwrap();
    let outcome = sender.send(&format!("http://hooks.example.org:{port}/"), message()).await;
    assert_eq!((outcome.status, outcome.failure.as_str()), (Some(204), ""));
    assert_eq!((asked.load(Relaxed), came.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn an_address_in_the_url_is_checked_when_it_is_called_too() {
    let (port, came) = target("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let sender = Sender::new(Policy::Public).unwrap();
    let outcome = sender.send(&format!("https://127.0.0.1:{port}/"), message()).await;
    assert_eq!((outcome.status, outcome.is_success()), (None, false));
    assert_eq!(came.load(Relaxed), 0);
}

/// threat: T-SSRF
#[tokio::test]
async fn redirects_lead_nowhere() {
    let (inner, came) = target("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{inner}/\r\ncontent-length: 0\r\n\r\n"
    );
    let (port, _) = target(answer.leak()).await;
    let sender = Sender::new(Policy::Anywhere).unwrap();
    let outcome = sender.send(&format!("http://127.0.0.1:{port}/"), message()).await;
    assert_eq!(outcome.status, Some(307));
    assert!(outcome.failure.contains("redirects"), "{outcome:?}");
    assert_eq!(came.load(Relaxed), 0);
}

#[tokio::test]
async fn answers_say_how_long_to_wait_and_when_all_is_over() {
    let answer = |it: &'static str| async move {
        let (port, _) = target(it).await;
        let sender = Sender::new(Policy::Anywhere).unwrap();
        sender.send(&format!("http://127.0.0.1:{port}/"), message()).await
    };
    let busy =
        answer("HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(busy.await.pause, Some(Duration::from_mins(2)));
    let date = answer(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: Tue, 31 Dec 2999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n",
    );
    assert!(date.await.pause.unwrap() > crate::LONGEST_PAUSE);
    let gone = answer("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").await;
    assert!(gone.is_gone() && !gone.is_success());
    let babble = answer("HTTP/9 what?\r\n\r\n").await;
    assert_eq!((babble.status, babble.is_success()), (None, false));
}

/// An answer without end is success by its status, and is not read to its end.
/// threat: T-SLOW-TARGET
#[tokio::test]
async fn of_an_endless_answer_only_the_beginning_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let writing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    let sender = Sender::new(Policy::Anywhere).unwrap();
    let outcome = sender.send(&format!("http://127.0.0.1:{port}/"), message()).await;
    assert_eq!((outcome.status, outcome.is_success()), (Some(200), true));
    tokio::time::timeout(Duration::from_secs(10), writing).await.unwrap().unwrap();
}
